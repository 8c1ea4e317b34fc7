import type { FileHandle } from "node:fs/promises";

const bufferBytes = 1 << 20;

/** Gathers writes at ascending offsets into large ones. Gaps are left to the file system, which reads them as zeroes. */
export class SweepWriter {
  readonly #file: FileHandle;
  readonly #buffer = Buffer.allocUnsafe(bufferBytes);
  #start = 0;
  #used = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async writeAt(offset: number, bytes: Buffer): Promise<void> {
    let gap = offset - (this.#start + this.#used);
    if (gap < 0) throw new RangeError("write below the sweep");
    if (this.#used + gap + bytes.length > bufferBytes) {
      await this.flush();
      this.#start = offset;
      gap = 0;
    }
    if (bytes.length > bufferBytes) {
      await writeAll(this.#file, bytes, offset);
      this.#start = offset + bytes.length;
      return;
    }
    if (this.#used === 0) {
      this.#start = offset;
      gap = 0;
    }
    this.#buffer.fill(0, this.#used, this.#used + gap);
    bytes.copy(this.#buffer, this.#used + gap);
    this.#used += gap + bytes.length;
  }

  async flush(): Promise<void> {
    if (this.#used > 0) await writeAll(this.#file, this.#buffer.subarray(0, this.#used), this.#start);
    this.#start += this.#used;
    this.#used = 0;
  }
}

export async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const result = await file.write(bytes, written, bytes.length - written, position + written);
    written += result.bytesWritten;
  }
}
