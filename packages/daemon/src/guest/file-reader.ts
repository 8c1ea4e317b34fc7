import { Readable } from "node:stream";
import { toUniError, UniError } from "@uni/contract/errors";
import { ByteSource } from "./byte-source.ts";
import { fileFailure } from "./file-failure.ts";
import { decodeEntry, decodeHole, maxRecord, recordHead, recordKinds } from "./file-records.ts";
import type { FileEntry, GuestFileReader } from "./port.ts";
import type { GuestStream } from "./stream.ts";
import { ProtocolError } from "./wire.ts";

const zeros = Buffer.alloc(64 << 10);

interface Record {
  readonly kind: number;
  readonly body: Buffer;
}

/** `entries` may be taken once; leaving it early ends the transfer. */
export function createFileReader(stream: GuestStream, attempted: string): GuestFileReader {
  return {
    entries: () => readEntries(stream, attempted),
  };
}

async function* readEntries(
  stream: GuestStream,
  attempted: string,
): AsyncGenerator<{ entry: FileEntry; content: Readable }> {
  const source = new ByteSource(stream.io);
  try {
    for (;;) {
      const record = await nextRecord(source, attempted);
      if (record.kind === recordKinds.done) return;
      if (record.kind !== recordKinds.entry) throw new ProtocolError(`unexpected file record ${record.kind}`);
      const entry = decodeEntry(record.body);
      const pieces = new Content(source, entry.size, attempted);
      const content = Readable.from(pieces.read(), { objectMode: false });
      content.on("error", () => {}); // Who takes the next entry meets the same error.
      yield { entry, content };
      await pieces.skip();
    }
  } catch (error) {
    throw asUniError(error, attempted);
  } finally {
    stream.close();
  }
}

async function nextRecord(source: ByteSource, attempted: string): Promise<Record> {
  const head = await source.take(recordHead);
  const length = head.readUInt32LE(1);
  if (length > maxRecord) throw new ProtocolError(`a file record of ${length} bytes is over the limit`);
  const record = { kind: head.readUInt8(), body: await source.take(length) };
  if (record.kind !== recordKinds.failed) return record;
  throw fileFailure(attempted, record.body.toString("utf8"));
}

function asUniError(error: unknown, attempted: string): UniError {
  if (error instanceof ProtocolError) {
    return new UniError("guest_failed", `${attempted}: ${error.message}`, { cause: error });
  }
  return toUniError(error, attempted);
}

/** One file's bytes; holes become zeros. */
class Content {
  readonly #source: ByteSource;
  readonly #attempted: string;
  #left: number;
  #zeros = 0;

  constructor(source: ByteSource, size: number, attempted: string) {
    this.#source = source;
    this.#left = size;
    this.#attempted = attempted;
  }

  async *read(): AsyncGenerator<Buffer> {
    while (this.#left > 0 || this.#zeros > 0) {
      const data = await this.#next().catch((error) => {
        throw asUniError(error, this.#attempted);
      });
      if (data !== undefined) yield data;
      while (this.#zeros > 0) {
        const piece = zeros.subarray(0, this.#zeros);
        this.#zeros -= piece.length;
        yield piece;
      }
    }
  }

  async skip(): Promise<void> {
    this.#zeros = 0;
    while (this.#left > 0) {
      await this.#next();
      this.#zeros = 0;
    }
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#left === 0) return undefined;
    const record = await nextRecord(this.#source, this.#attempted);
    const isData = record.kind === recordKinds.data;
    if (!isData && record.kind !== recordKinds.hole)
      throw new ProtocolError(`unexpected file record ${record.kind}`);
    const length = isData ? record.body.length : decodeHole(record.body);
    if (length <= 0 || length > this.#left) throw new ProtocolError("a file's content is not of its size");
    this.#left -= length;
    if (isData) return record.body;
    this.#zeros = length;
    return undefined;
  }
}
