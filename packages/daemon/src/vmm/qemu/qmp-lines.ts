/** Longest line a VMM may send: 64 KiB of console in base64, with room to spare. */
export const maxLineBytes = 1 << 20;

/** Cuts bytes that arrive in any pieces into lines. Throws RangeError on a line over the limit. */
export class LineSplitter {
  #parts: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(Buffer.concat(this.#parts, this.#length).toString("utf8"));
      this.#parts = [];
      this.#length = 0;
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length > maxLineBytes) throw new RangeError(`line of over ${maxLineBytes} bytes`);
    this.#parts.push(piece);
  }
}
