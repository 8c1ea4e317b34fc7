/** A part of layers that Uni itself has stored. Its documents are nowhere but here until it is imported. */
import type { Digest } from "@uni/contract/ids";
import { digestOf } from "../digest.ts";
import { encodeImageConfig } from "../image-config.ts";
import { makeManifest, type StoredBlob } from "../make-manifest.ts";
import type { Room } from "../room.ts";
import type { ByteStream } from "../spool.ts";
import type { Part } from "./part.ts";

/** What keeps blobs from a sweep until the work that needs them is done. */
export type Hold = (digests: readonly Digest[]) => void;

export async function storeLayer(
  room: Room,
  tar: ByteStream,
  hold: Hold,
  { signal, maxBytes = room.limits.bytes }: { readonly signal: AbortSignal; readonly maxBytes?: number },
): Promise<StoredBlob> {
  return room.blobs.ingest(tar, {
    what: "store a layer",
    digest: undefined,
    size: undefined,
    maxBytes,
    signal,
    onDigest: (digest) => hold([digest]),
  });
}

export function madePart(room: Room, layers: readonly StoredBlob[]): Part {
  const diffIds = layers.map(({ digest }) => digest);
  const config = encodeImageConfig(emptyConfig(room.architecture), diffIds);
  const { bytes, descriptor } = makeManifest({ digest: digestOf(config), size: config.length }, layers);
  const documents = new Map([
    [descriptor.digest, bytes],
    [digestOf(config), config],
  ]);
  const read = async (digest: Digest): Promise<Buffer> =>
    documents.get(digest) ?? (await room.blobs.read(digest));
  return {
    descriptor,
    source: {
      isStored: ({ digest }) => (documents.has(digest) ? undefined : true),
      manifest: ({ digest }) => read(digest),
      blob: async ({ digest }) => [await read(digest)],
    },
  };
}

const emptyConfig = (architecture: string) => ({
  entrypoint: [],
  cmd: [],
  env: {},
  user: "",
  workingDirectory: "",
  exposedPorts: [],
  labels: {},
  stopSignal: "",
  architecture,
});
