/** Streams bytes of unknown length and worth into a file: counted, bounded, hashed. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { Digest } from "@uni/contract/ids";
import { isNoSpace, noSpace } from "./disk-space.ts";
import { overLimit } from "./limits.ts";
import { SweepWriter } from "./sweep-writer.ts";

/** Bytes as they come, in any pieces. */
export type ByteStream = AsyncIterable<Uint8Array> | readonly Uint8Array[];

export interface SpoolOptions {
  readonly what: string;
  readonly maxBytes: number;
  /** Name of the bound, for the error. */
  readonly limitName: string;
  readonly signal: AbortSignal;
  readonly onBytes?: (total: number) => void;
  /** Total length where it is known, for the error when the disk is full. */
  readonly expected?: number;
}

export interface Spooled {
  readonly size: number;
  readonly digest: Digest;
}

/** Without a file the bytes are only counted and hashed. */
export async function spool(
  bytes: ByteStream,
  file: FileHandle | undefined,
  options: SpoolOptions,
): Promise<Spooled> {
  const hash = createHash("sha256");
  const writer = file === undefined ? undefined : new SweepWriter(file);
  let size = 0;
  try {
    for await (const chunk of abortable(bytes, options.signal)) {
      const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (size + buffer.length > options.maxBytes) {
        throw overLimit(options.what, options.limitName, options.maxBytes);
      }
      hash.update(buffer);
      await writer?.writeAt(size, buffer);
      size += buffer.length;
      options.onBytes?.(size);
    }
    await writer?.flush();
  } catch (error) {
    options.signal.throwIfAborted();
    if (isNoSpace(error)) throw noSpace(options.what, options.expected ?? size + 1, undefined, error);
    throw error;
  }
  return { size, digest: `sha256:${hash.digest("hex")}` as Digest };
}

async function* each(bytes: ByteStream): AsyncGenerator<Uint8Array> {
  yield* bytes;
}

/** Ends the iteration with the signal's reason also while it waits for the next bytes. */
export async function* abortable(bytes: ByteStream, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = each(bytes);
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  let finished = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await Promise.race([iterator.next(), aborted.promise]);
      if (next.done === true) {
        finished = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not awaited: an iterator that waits for bytes only answers when they come.
    if (!finished) void iterator.return(undefined).catch(() => {});
  }
}
