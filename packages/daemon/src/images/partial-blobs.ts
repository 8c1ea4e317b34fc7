/**
 * Blobs that are on their way from a registry, under the digest they will have: what came before a break is kept, also for
 * the next daemon's life. What nobody has gone on with for a day is garbage.
 */
import { readdirSync, rmSync, statSync } from "node:fs";
import { constants, type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { KeyedQueue } from "../base/keyed-queue.ts";
import { ensureDirectory } from "../host/files.ts";

const keptMs = 86_400_000;

export interface PartialFile extends AsyncDisposable {
  readonly path: string;
  readonly handle: FileHandle;
}

export class PartialBlobs {
  readonly #directory: string;
  readonly #writers = new KeyedQueue<string>();
  readonly #open = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(): Promise<void> {
    await ensureDirectory(this.#directory, 0o700);
  }

  /** One after the other for each blob: who comes second finds it whole, or goes on where the first was cut off. */
  alone<T>(name: string, task: () => Promise<T>): Promise<T> {
    return this.#writers.run(name, task);
  }

  /** To be asked for within `alone`. */
  async file(name: string): Promise<PartialFile> {
    const path = join(this.#directory, name);
    this.#open.add(name);
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600).catch((error: unknown) => {
      this.#open.delete(name);
      throw error;
    });
    return {
      path,
      handle,
      [Symbol.asyncDispose]: async () => {
        await handle.close();
        this.#open.delete(name);
      },
    };
  }

  remove(name: string): Promise<void> {
    return rm(join(this.#directory, name), { force: true });
  }

  /** Removes what was left a day ago; returns the bytes. */
  sweep(now: number): number {
    let freed = 0;
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined || this.#open.has(name) || stat.mtimeMs > now - keptMs) continue;
      freed += stat.blocks * 512;
      rmSync(path, { force: true });
    }
    return freed;
  }
}
