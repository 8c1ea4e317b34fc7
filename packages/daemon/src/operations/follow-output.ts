/** Raw output with its streams, from now on, until the instance stops for good. */
import type { LogStore, LogStream } from "../instances/log-store.ts";
import type { LogSource } from "./log-lines.ts";
import { isOver } from "./wait-exit.ts";

export interface OutputPiece {
  readonly stream: LogStream;
  readonly timeMs: number;
  readonly bytes: Buffer;
}

export interface FollowedOutput {
  /** Read at the reader's own pace: what the log drops meanwhile is left out, and nobody waits. */
  readonly pieces: AsyncIterable<OutputPiece>;
  /** Lets go of it, whether or not it was read; whoever waits for a piece gets none. */
  close(): void;
}

const chunkBytes = 64 * 1024;

/** Begins at once: what is printed before the first piece is asked for is not missed. */
export function followOutput({ id, store, feed, registry }: LogSource, signal: AbortSignal): FollowedOutput {
  let offset = store.end;
  let closed = false;
  let nudged = Promise.withResolvers<void>();
  const wake = () => nudged.resolve();
  const unfollow = feed.follow(id, wake);
  signal.addEventListener("abort", wake, { once: true });
  async function* pieces(): AsyncGenerator<OutputPiece> {
    while (!signal.aborted && !closed) {
      nudged = Promise.withResolvers<void>();
      const record = registry.find(id);
      const over = record === undefined || isOver(record);
      while (offset < store.end && !signal.aborted) {
        const before = offset;
        for (const piece of await readPieces(store, offset)) {
          offset = piece.end;
          yield piece;
        }
        // A log that was closed holds nothing.
        if (offset === before) return;
      }
      if (over) return;
      await nudged.promise;
    }
  }
  return {
    pieces: pieces(),
    close() {
      closed = true;
      unfollow();
      signal.removeEventListener("abort", wake);
      wake();
    },
  };
}

async function readPieces(store: LogStore, from: number): Promise<(OutputPiece & { end: number })[]> {
  const { bytes, start, end } = await store.read(from, chunkBytes);
  return store
    .pieces(start)
    .filter((piece) => piece.offset < end && piece.length > 0)
    .map((piece) => {
      const begin = Math.max(piece.offset, start);
      const finish = Math.min(piece.offset + piece.length, end);
      const { stream, timeMs } = piece;
      return { stream, timeMs, bytes: bytes.subarray(begin - start, finish - start), end: finish };
    });
}
