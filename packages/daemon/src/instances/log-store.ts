/**
 * An instance's output: one stream of bytes with offsets that never change, kept in segments. A segment is two files named
 * by the offset of its first byte: `<start>.data` holds the bytes, `<start>.index` one record per piece. Bytes go first and
 * their record second, so after a crash bytes without a record are cut off. When the total is over the cap, whole segments
 * are dropped from the front; later offsets stay what they were.
 */
import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory } from "../host/files.ts";

export type LogStream = "stdout" | "stderr" | "system";

export interface LogPiece {
  readonly offset: number;
  readonly length: number;
  readonly stream: LogStream;
  readonly timeMs: number;
}

export interface LogLimits {
  readonly segmentBytes: number;
  readonly totalBytes: number;
}

export const defaultLogLimits: LogLimits = { segmentBytes: 2 << 20, totalBytes: 8 << 20 };

/** Index record: offset, guest offset after the piece, time in ms (u64 each), length u32, stream u32. */
const recordLength = 32;
/** Pieces are held in memory: a program that writes a byte at a time must not fill it. */
const maxPieces = 8192;
const streams: readonly LogStream[] = ["stdout", "stderr", "system"];

interface Segment {
  readonly start: number;
  end: number;
  readonly pieces: LogPiece[];
}

export class LogStore {
  readonly #directory: string;
  readonly #limits: LogLimits;
  #segments: Segment[] = [];
  #data: FileHandle | undefined;
  #index: FileHandle | undefined;
  #guestOffset = 0;
  #closed = false;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(directory: string, limits: LogLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  static async open(directory: string, limits: LogLimits = defaultLogLimits): Promise<LogStore> {
    await ensureDirectory(directory);
    const store = new LogStore(directory, limits);
    await store.#load();
    return store;
  }

  get start(): number {
    return this.#segments[0]?.start ?? 0;
  }

  get end(): number {
    return this.#segments.at(-1)?.end ?? 0;
  }

  /** How far the guest's own count of this run has been stored; what a reconnecting channel asks to go on from. */
  get guestOffset(): number {
    return this.#guestOffset;
  }

  /** A new run counts from zero again. Written down: a daemon that comes before its first output goes on from zero too. */
  startRun(): Promise<void> {
    return this.#serially(async () => {
      if (this.#guestOffset === 0) return;
      this.#guestOffset = 0;
      await this.#writePiece("system", 0, new Uint8Array());
    });
  }

  /** Appends a piece; `guestOffsetAfter` is the guest's count behind it. Resolves when a crash of the daemon cannot lose it. */
  append(stream: LogStream, timeMs: number, bytes: Uint8Array, guestOffsetAfter?: number): Promise<void> {
    return this.#serially(async () => {
      if (this.#closed) throw new UniError("failed", "write into a log: it was closed");
      if (bytes.length === 0) return;
      if (guestOffsetAfter !== undefined) this.#guestOffset = guestOffsetAfter;
      await this.#writePiece(stream, timeMs, bytes);
      await this.#dropOldest();
    });
  }

  /** Bytes from `offset` on (a negative one counts from the end), at most `limit`, clamped to what is held; none once closed. */
  read(
    offset: number,
    limit: number,
  ): Promise<{ readonly bytes: Buffer; readonly start: number; readonly end: number }> {
    return this.#serially(async () => {
      if (this.#closed) return { bytes: Buffer.alloc(0), start: this.end, end: this.end };
      const from = Math.min(Math.max(offset < 0 ? this.end + offset : offset, this.start), this.end);
      const to = Math.min(from + Math.max(limit, 0), this.end);
      const parts: Buffer[] = [];
      for (const segment of this.#segments) {
        const begin = Math.max(from, segment.start);
        const finish = Math.min(to, segment.end);
        if (begin < finish) parts.push(await this.#readSegment(segment, begin, finish - begin));
      }
      const bytes = Buffer.concat(parts);
      return { bytes, start: from, end: from + bytes.length };
    });
  }

  /** The pieces that hold bytes at or after `offset`, in order. */
  pieces(offset: number): LogPiece[] {
    return this.#segments
      .filter((segment) => segment.end > offset)
      .flatMap((segment) => segment.pieces)
      .filter((piece) => piece.offset + piece.length > offset);
  }

  async close(): Promise<void> {
    await this.#serially(() => {
      this.#closed = true;
      return this.#closeFiles();
    });
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #load(): Promise<void> {
    const starts = (await readdir(this.#directory))
      .filter((name) => /^\d+\.index$/.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
    for (const start of starts) {
      const records = await readWhole(join(this.#directory, `${start}.index`));
      const segment: Segment = { start, end: start, pieces: [] };
      for (let at = 0; at + recordLength <= records.length; at += recordLength) {
        const { piece, guestOffset } = decodeRecord(records.subarray(at, at + recordLength));
        if (piece.offset !== segment.end) break;
        segment.pieces.push(piece);
        segment.end += piece.length;
        this.#guestOffset = guestOffset;
      }
      this.#segments.push(segment);
    }
  }

  async #writePiece(stream: LogStream, timeMs: number, bytes: Uint8Array): Promise<void> {
    const segment = await this.#writableSegment();
    const piece: LogPiece = { offset: segment.end, length: bytes.length, stream, timeMs: Math.trunc(timeMs) };
    await this.#data?.write(bytes, 0, bytes.length, segment.end - segment.start);
    const record = encodeRecord(piece, this.#guestOffset);
    await this.#index?.write(record, 0, recordLength, segment.pieces.length * recordLength);
    segment.pieces.push(piece);
    segment.end += bytes.length;
  }

  async #writableSegment(): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (last !== undefined && !this.#isFull(last)) {
      if (this.#data === undefined) await this.#openFiles(last);
      return last;
    }
    await this.#closeFiles();
    const segment: Segment = { start: this.end, end: this.end, pieces: [] };
    await this.#openFiles(segment);
    this.#segments.push(segment);
    return segment;
  }

  #isFull(segment: Segment): boolean {
    return segment.end - segment.start >= this.#limits.segmentBytes || segment.pieces.length >= maxPieces;
  }

  async #openFiles(segment: Segment): Promise<void> {
    const flags = segment.pieces.length === 0 ? "w+" : "r+";
    this.#data = await open(this.#path(segment, "data"), flags, 0o600);
    this.#index = await open(this.#path(segment, "index"), flags, 0o600);
    // A crash may have left bytes or half a record behind the last whole record.
    await this.#data.truncate(segment.end - segment.start);
    await this.#index.truncate(segment.pieces.length * recordLength);
  }

  async #closeFiles(): Promise<void> {
    await this.#data?.close();
    await this.#index?.close();
    this.#data = undefined;
    this.#index = undefined;
  }

  async #dropOldest(): Promise<void> {
    const mostSegments = Math.ceil(this.#limits.totalBytes / this.#limits.segmentBytes) + 1;
    while (
      this.#segments.length > 1 &&
      (this.end - this.start > this.#limits.totalBytes || this.#segments.length > mostSegments)
    ) {
      const oldest = this.#segments.shift();
      if (oldest === undefined) return;
      await rm(this.#path(oldest, "index"), { force: true });
      await rm(this.#path(oldest, "data"), { force: true });
    }
  }

  async #readSegment(segment: Segment, offset: number, length: number): Promise<Buffer> {
    const file = await open(this.#path(segment, "data"), "r");
    try {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await file.read(bytes, 0, length, offset - segment.start);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  #path(segment: Segment, kind: "data" | "index"): string {
    return join(this.#directory, `${segment.start}.${kind}`);
  }
}

function encodeRecord(piece: LogPiece, guestOffset: number): Buffer {
  const record = Buffer.alloc(recordLength);
  record.writeBigUInt64BE(BigInt(piece.offset), 0);
  record.writeBigUInt64BE(BigInt(guestOffset), 8);
  record.writeBigUInt64BE(BigInt(piece.timeMs), 16);
  record.writeUInt32BE(piece.length, 24);
  record.writeUInt32BE(streams.indexOf(piece.stream), 28);
  return record;
}

function decodeRecord(record: Buffer): { piece: LogPiece; guestOffset: number } {
  return {
    piece: {
      offset: Number(record.readBigUInt64BE(0)),
      timeMs: Number(record.readBigUInt64BE(16)),
      length: record.readUInt32BE(24),
      stream: streams[record.readUInt32BE(28)] ?? "system",
    },
    guestOffset: Number(record.readBigUInt64BE(8)),
  };
}

async function readWhole(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}
