import type { Readable, Writable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { ByteSource } from "./byte-source.ts";
import { fileFailure } from "./file-failure.ts";
import {
  encodeEntry,
  encodeRecord,
  isInnerPath,
  maxRecord,
  recordHead,
  recordKinds,
} from "./file-records.ts";
import type { FileEntry, GuestFileWriter } from "./port.ts";
import type { GuestStream } from "./stream.ts";
import { ProtocolError, types } from "./wire.ts";

export function createFileWriter(stream: GuestStream, attempted: string): GuestFileWriter {
  // The agent answers once: when all is written, or at the first failure, also in the middle of our sending.
  const verdict = readVerdict(stream, attempted);
  verdict.catch(() => {});
  const send = (bytes: Buffer) => Promise.race([write(stream.io, bytes), failureOf(verdict)]);

  return {
    async write(entry: FileEntry, content: Readable | undefined) {
      if (!isInnerPath(entry.path)) {
        throw new UniError(
          "invalid_value",
          `${attempted}: entry ${JSON.stringify(entry.path)} leaves its tree`,
        );
      }
      await send(encodeEntry(entry));
      if (entry.type !== "file") return;
      let left = entry.size;
      for await (const chunk of content ?? []) {
        for (let at = 0; at < chunk.length; at += maxRecord) {
          const piece = (chunk as Buffer).subarray(at, at + maxRecord);
          left -= piece.length;
          if (left < 0) break;
          await send(encodeRecord(recordKinds.data, piece));
        }
      }
      if (left === 0) return;
      throw new UniError(
        "invalid_value",
        `${attempted}: ${entry.path} is not of the size that was announced`,
      );
    },
    async finish() {
      await send(encodeRecord(recordKinds.done, Buffer.alloc(0)));
      stream.send(types.end, Buffer.alloc(0));
      await verdict;
    },
    async abort() {
      stream.close();
    },
  };
}

async function readVerdict(stream: GuestStream, attempted: string): Promise<void> {
  const source = new ByteSource(stream.io);
  const head = await source.take(recordHead);
  const length = head.readUInt32LE(1);
  if (length > maxRecord) throw new ProtocolError(`a file record of ${length} bytes is over the limit`);
  const body = await source.take(length);
  if (head.readUInt8() === recordKinds.done) return;
  throw fileFailure(attempted, body.toString("utf8"));
}

/** Never resolves: rejects if the agent refuses. */
async function failureOf(verdict: Promise<void>): Promise<void> {
  await verdict;
  await new Promise<never>(() => {});
}

function write(to: Writable, bytes: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  to.write(bytes, (error) => (error == null ? resolve() : reject(error)));
  return promise;
}
