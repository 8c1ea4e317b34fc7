import type { Readable } from "node:stream";
import { ProtocolError } from "./wire.ts";

/** Exact numbers of bytes from a stream that comes in any pieces. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #pending: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Rejects with ProtocolError if the stream ends before. */
  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#pending.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw new ProtocolError("the guest's files end in the middle");
        this.#pending = next.value;
      }
      const part = this.#pending.subarray(0, missing);
      this.#pending = this.#pending.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }
}
