/** Splits bytes into lines that end with "\n"; a line longer than the limit is a RangeError, and nothing more is read. */
export class LineReader {
  #chunks: Buffer[] = [];
  #length = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The next whole line without its end, or undefined. */
  next(): string | undefined {
    // Only the newest chunk can hold the first "\n": older ones were searched when they were the newest.
    const last = this.#chunks.at(-1);
    if (last === undefined) return undefined;
    const searched = this.#length - last.length;
    const found = this.#chunks.length === 1 ? last.indexOf(10) : searched + last.indexOf(10);
    const at = this.#chunks.length === 1 || last.includes(10) ? found : -1;
    if (at < 0) {
      if (this.#length > this.#limit) throw new RangeError(`a line is longer than ${this.#limit} bytes`);
      return undefined;
    }
    if (at > this.#limit) throw new RangeError(`a line is longer than ${this.#limit} bytes`);
    const bytes = this.rest();
    this.push(bytes.subarray(at + 1));
    return bytes.toString("utf8", 0, at);
  }

  /** Takes what is left: the bytes after the last line that was read. */
  rest(): Buffer {
    const bytes =
      this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#length = 0;
    return bytes;
  }

  get length(): number {
    return this.#length;
  }
}
