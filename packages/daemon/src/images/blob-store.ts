/** Blobs by digest: written aside, checked, synced, renamed; so a file under its name is whole and right, also after a crash. */
import { readdirSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open, readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { ensureDirectory } from "../host/files.ts";
import { type FreeBytes, requireSpace } from "./disk-space.ts";
import type { Scratch } from "./scratch.ts";
import { type ByteStream, spool } from "./spool.ts";

export interface IngestOptions {
  readonly what: string;
  /** Undefined where the bytes themselves say who they are. */
  readonly digest: Digest | undefined;
  /** Length where it is known; else `maxBytes` bounds it. */
  readonly size: number | undefined;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly onBytes?: (total: number) => void;
  /** Called before the blob gets its name, so that a lease can be taken in time. */
  readonly onDigest?: (digest: Digest) => void;
}

export class BlobStore {
  readonly #directory: string;
  readonly #scratch: Scratch;
  readonly #free: FreeBytes;

  constructor(directory: string, scratch: Scratch, free: FreeBytes) {
    this.#directory = directory;
    this.#scratch = scratch;
    this.#free = free;
  }

  open(): Promise<void> {
    return ensureDirectory(this.#directory, 0o700);
  }

  path(digest: Digest): string {
    return join(this.#directory, digest.slice("sha256:".length));
  }

  async has(digest: Digest): Promise<boolean> {
    return (await stat(this.path(digest)).catch(() => undefined))?.isFile() ?? false;
  }

  async size(digest: Digest): Promise<number | undefined> {
    return (await stat(this.path(digest)).catch(() => undefined))?.size;
  }

  read(digest: Digest): Promise<Buffer> {
    return readFile(this.path(digest));
  }

  async ingest(
    bytes: ByteStream,
    options: IngestOptions,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    const { what, digest, size, signal } = options;
    if (size !== undefined) await this.requireSpace(size, what);
    await using file = await this.#scratch.file();
    const spooled = await spool(bytes, file.handle, {
      what,
      // One byte more than promised is enough to know that the length is wrong.
      maxBytes: size === undefined ? options.maxBytes : size + 1,
      limitName: "bytes",
      signal,
      onBytes: options.onBytes,
      expected: size,
    }).catch((error: unknown) => {
      if (size !== undefined && error instanceof UniError && error.code === "image_unsafe") {
        throw mismatch(what, `longer than its ${size} bytes`);
      }
      throw error;
    });
    if (size !== undefined && spooled.size !== size) {
      throw mismatch(what, `${spooled.size} bytes long instead of ${size}`);
    }
    if (digest !== undefined && spooled.digest !== digest) {
      throw mismatch(what, `its digest is ${spooled.digest} instead of ${digest}`);
    }
    options.onDigest?.(spooled.digest);
    await this.adopt(file, spooled.digest);
    return spooled;
  }

  /** Takes over a file whose digest was found right. */
  async adopt(file: { readonly path: string; readonly handle: FileHandle }, digest: Digest): Promise<void> {
    await file.handle.chmod(0o400);
    await file.handle.sync();
    await rename(file.path, this.path(digest));
    await syncDirectory(this.#directory);
  }

  requireSpace(bytes: number, what: string): Promise<void> {
    return requireSpace(this.#free, this.#directory, bytes, what);
  }

  /** Bytes that each has on the disk. */
  async sizes(): Promise<ReadonlyMap<Digest, number>> {
    const sizes = new Map<Digest, number>();
    for (const name of await readdir(this.#directory)) {
      const file = await stat(join(this.#directory, name)).catch(() => undefined);
      if (file !== undefined) sizes.set(`sha256:${name}` as Digest, file.blocks * 512);
    }
    return sizes;
  }

  /** Removes what `keep` does not name; returns the bytes. Synchronous, so that nobody can begin to count on a blob in between. */
  sweep(keep: (digest: Digest) => boolean): number {
    let freed = 0;
    for (const name of readdirSync(this.#directory)) {
      if (keep(`sha256:${name}` as Digest)) continue;
      const path = join(this.#directory, name);
      freed += statSync(path).blocks * 512;
      rmSync(path, { force: true });
    }
    return freed;
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export function mismatch(what: string, reason: string): UniError {
  return new UniError("digest_mismatch", `${what}: ${reason}`, {
    hint: "The bytes were damaged or changed on the way; fetch or build them again.",
  });
}
