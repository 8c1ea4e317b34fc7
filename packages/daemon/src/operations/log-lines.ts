/** The log as whole lines with their stream and time, from what is held on. */
import { isUtf8 } from "node:buffer";
import type { InstanceId } from "@uni/contract/ids";
import type { LogLine } from "@uni/contract/rpc";
import type { LogStore, LogStream } from "../instances/log-store.ts";
import type { OutputFeed } from "../instances/output-feed.ts";
import type { Registry } from "../instances/registry.ts";

export interface LogLinesOptions {
  readonly tail?: number | undefined;
  readonly sinceMs?: number | undefined;
  readonly follow: boolean;
  /** With `follow`: what has no line end yet is given out too. */
  readonly partial?: boolean | undefined;
  readonly signal: AbortSignal;
}

export interface LogSource {
  readonly id: InstanceId;
  readonly store: LogStore;
  readonly feed: OutputFeed;
  readonly registry: Registry;
}

/** A line longer than this is given out in parts. */
const longestLine = 64 * 1024;
/** Bytes read at once. */
const chunkBytes = 256 * 1024;

export async function* logLines(source: LogSource, options: LogLinesOptions): AsyncGenerator<LogLine> {
  const { id, store, feed, registry } = source;
  const splitter = new LineSplitter();
  let nudged = Promise.withResolvers<void>();
  const unfollow = feed.follow(id, () => nudged.resolve());
  const onAbort = () => nudged.resolve();
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    let offset = store.start;
    const held: LogLine[] = [];
    while (!options.signal.aborted) {
      nudged = Promise.withResolvers<void>();
      const status = registry.find(id)?.status;
      const over = status === undefined || (status.state === "stopped" && status.restart === null);
      const atEnd = store.end;
      while (offset < atEnd) {
        const { lines, next } = await readLines(store, splitter, offset);
        offset = next;
        for (const line of lines.filter((each) => isWanted(each, options.sinceMs))) {
          if (options.tail === undefined) yield line;
          else held.push(line);
        }
      }
      if (!options.follow || over) break;
      if (options.tail !== undefined) {
        yield* lastOf(held, options.tail);
        options = { ...options, tail: undefined };
      }
      if (options.partial === true) yield* splitter.rest().filter((each) => isWanted(each, options.sinceMs));
      if (store.end === atEnd) await nudged.promise;
    }
    const rest = splitter.rest().filter((each) => isWanted(each, options.sinceMs));
    if (options.tail === undefined) yield* rest;
    else yield* lastOf([...held, ...rest], options.tail);
  } finally {
    unfollow();
    options.signal.removeEventListener("abort", onAbort);
  }
}

const lastOf = (lines: readonly LogLine[], count: number): LogLine[] =>
  count <= 0 ? [] : lines.slice(-count);

async function readLines(
  store: LogStore,
  splitter: LineSplitter,
  from: number,
): Promise<{ lines: LogLine[]; next: number }> {
  const { bytes, start, end } = await store.read(from, chunkBytes);
  const lines: LogLine[] = [];
  for (const piece of store.pieces(start)) {
    if (piece.offset >= end) break;
    const begin = Math.max(piece.offset, start) - start;
    const finish = Math.min(piece.offset + piece.length, end) - start;
    lines.push(...splitter.push(piece.stream, piece.timeMs, bytes.subarray(begin, finish)));
  }
  return { lines, next: end > from ? end : from + 1 };
}

const isWanted = (line: LogLine, sinceMs: number | undefined): boolean =>
  sinceMs === undefined || Date.parse(line.time) >= sinceMs;

/** Each stream has its own unfinished line: two streams that take turns do not cut each other's lines. */
class LineSplitter {
  readonly #open = new Map<LogStream, { bytes: Buffer; timeMs: number }>();

  push(stream: LogStream, timeMs: number, bytes: Buffer): LogLine[] {
    const before = this.#open.get(stream);
    let pending = before === undefined ? bytes : Buffer.concat([before.bytes, bytes]);
    const time = before?.timeMs ?? timeMs;
    const lines: LogLine[] = [];
    while (pending.length > 0) {
      const at = pending.indexOf(0x0a);
      if (at < 0 && pending.length < longestLine) break;
      const cut = at < 0 || at > longestLine ? longestLine : at;
      lines.push(toLine(stream, lines.length === 0 ? time : timeMs, pending.subarray(0, cut), cut === at));
      pending = pending.subarray(cut === at ? cut + 1 : cut);
    }
    if (pending.length === 0) this.#open.delete(stream);
    else this.#open.set(stream, { bytes: pending, timeMs: lines.length === 0 ? time : timeMs });
    return lines;
  }

  /** Lines without an end. */
  rest(): LogLine[] {
    const lines = [...this.#open].map(([stream, { bytes, timeMs }]) => toLine(stream, timeMs, bytes, false));
    this.#open.clear();
    return lines;
  }
}

const toLine = (stream: LogStream, timeMs: number, bytes: Buffer, ended: boolean): LogLine => ({
  time: new Date(timeMs).toISOString(),
  stream,
  line: bytes.toString(),
  ...(isUtf8(bytes) ? {} : { base64: bytes.toString("base64") }),
  ...(ended ? {} : { unended: true }),
});
