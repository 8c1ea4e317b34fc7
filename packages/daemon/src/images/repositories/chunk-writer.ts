import type { FileHandle } from "node:fs/promises";

const batchBytes = 512 << 10;

/** Writes a stream to a file while the next bytes arrive: in batches, one under way at a time, without copying. */
export class ChunkWriter {
  readonly #file: FileHandle;
  #position: number;
  #batch: Buffer[] = [];
  #gathered = 0;
  #underWay: Promise<void> = Promise.resolve();

  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /** The bytes are the writer's from now on. Rejects with what went wrong with those before. */
  async add(chunk: Buffer): Promise<void> {
    this.#batch.push(chunk);
    this.#gathered += chunk.length;
    if (this.#gathered >= batchBytes) await this.#begin();
  }

  async flush(): Promise<void> {
    await this.#begin();
    await this.#underWay;
  }

  async #begin(): Promise<void> {
    await this.#underWay;
    const batch = this.#batch;
    const position = this.#position;
    this.#position += this.#gathered;
    this.#batch = [];
    this.#gathered = 0;
    this.#underWay = writeAll(this.#file, batch, position);
    // It is awaited with the next batch, or the last.
    this.#underWay.catch(() => {});
  }
}

async function writeAll(file: FileHandle, batch: readonly Buffer[], start: number): Promise<void> {
  let left = batch.filter((chunk) => chunk.length > 0);
  let position = start;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, position);
    position += bytesWritten;
    left = behind(left, bytesWritten);
  }
}

function behind(batch: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  return batch.flatMap((chunk) => {
    const rest = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - rest.length;
    return rest.length === 0 ? [] : [rest];
  });
}
