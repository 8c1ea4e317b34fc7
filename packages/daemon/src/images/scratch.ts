/** Files and directories of work in progress. What a crash leaves here is nobody's and goes with the next `sweep`. */
import { existsSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensureDirectory, removeTree } from "../host/files.ts";
import { bytesOfTree } from "./disk-space.ts";

export interface ScratchFile extends AsyncDisposable {
  readonly path: string;
  readonly handle: FileHandle;
}

export interface ScratchDirectory extends AsyncDisposable {
  readonly path: string;
}

export class Scratch {
  readonly #directory: string;
  readonly #live = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(): Promise<void> {
    await ensureDirectory(this.#directory, 0o700);
  }

  /** Harmless to dispose of after the file was moved away. */
  async file(): Promise<ScratchFile> {
    const name = this.#claim();
    const path = join(this.#directory, name);
    try {
      const handle = await open(path, "wx+", 0o600);
      return {
        path,
        handle,
        [Symbol.asyncDispose]: async () => {
          await handle.close();
          await rm(path, { force: true });
          this.#live.delete(name);
        },
      };
    } catch (error) {
      this.#live.delete(name);
      throw error;
    }
  }

  async directory(): Promise<ScratchDirectory> {
    const name = this.#claim();
    const path = join(this.#directory, name);
    await mkdir(path, { mode: 0o700 });
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        // A killed build's last processes may still write for a moment.
        await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
        this.#live.delete(name);
      },
    };
  }

  /** Removes what no running task holds; returns the bytes. */
  async sweep(): Promise<number> {
    let freed = 0;
    for (const name of await readdir(this.#directory)) {
      if (this.#live.has(name)) continue;
      const path = join(this.#directory, name);
      freed += await bytesOfTree(path);
      await removeTree(path);
    }
    return freed;
  }

  /** As short as can be: builds make sockets below it, whose paths are bounded (unix(7)). */
  #claim(): string {
    for (let number = 0; ; number++) {
      const name = number.toString(36);
      if (this.#live.has(name) || existsSync(join(this.#directory, name))) continue;
      this.#live.add(name);
      return name;
    }
  }
}
