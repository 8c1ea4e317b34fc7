import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Digest } from "@uni/contract/ids";
import type { Room } from "../room.ts";
import type { TarMember } from "../tar-writer.ts";

export async function blobMember(
  room: Room,
  digest: Digest,
  name: string,
  signal: AbortSignal,
): Promise<TarMember> {
  const path = room.blobs.path(digest);
  const { size } = await stat(path);
  return { name, mode: 0o644, size, content: readBlob(path, signal) };
}

async function* readBlob(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) yield chunk;
}

export const jsonMember = (name: string, value: unknown): TarMember => {
  const bytes = Buffer.from(JSON.stringify(value));
  return { name, mode: 0o644, size: bytes.length, content: [bytes] };
};

export const hexOf = (digest: string): string => digest.slice("sha256:".length);
