/**
 * Blobs on their way in. Each is a file below its account's directory, named by its id and a hash of its repository, so that
 * nobody else's request finds it; its length is how far it is. So nothing has to be written down elsewhere, and the next daemon
 * goes on where this one ended.
 */
import { createHash, type Hash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { type Digest, isUuid } from "@uni/contract/ids";
import type { Clock } from "../../base/clock.ts";
import { ensureDirectory } from "../../host/files.ts";
import { type FreeBytes, isNoSpace, noSpace, requireSpace } from "../disk-space.ts";
import { overLimit } from "../limits.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import type { Appended, Chunk, UploadOwner } from "./port.ts";

export interface UploadsOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly free: FreeBytes;
  readonly maxBytes: number;
}

const mostPerAccount = 1_000;
const expireAfterMs = 86_400_000;
const what = "receive a blob";

interface Turn {
  readonly takenOver: AbortController;
  readonly over: Promise<void>;
}

export class Uploads {
  readonly #options: UploadsOptions;
  /** Who has an upload's file, and the hash of what is in it: after a restart it is read again. */
  readonly #turns = new Map<string, Turn>();
  readonly #hashes = new Map<string, { readonly hash: Hash; size: number }>();

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  open(): Promise<void> {
    return ensureDirectory(this.#options.directory, 0o700);
  }

  async begin(owner: UploadOwner): Promise<string> {
    const directory = join(this.#options.directory, owner.account);
    await ensureDirectory(directory, 0o700);
    if ((await readdir(directory)).length >= mostPerAccount) {
      throw new UniError("quota_exceeded", `begin an upload: an account has at most ${mostPerAccount}`, {
        hint: "Finish or cancel some; those that nobody touches for a day go by themselves.",
      });
    }
    const id = randomUUID();
    await (await open(this.#path(owner, id), "wx", 0o600)).close();
    return id;
  }

  size(owner: UploadOwner, id: string): Promise<number> {
    return sizeOf(this.#path(owner, id));
  }

  append(owner: UploadOwner, id: string, bytes: Readable, chunk: Chunk): Promise<Appended> {
    const path = this.#path(owner, id);
    return this.#takeOver(path, async (takenOver) => {
      const size = await sizeOf(path);
      if (chunk.at !== undefined && chunk.at !== size) return { size, inOrder: false };
      const { free, directory, maxBytes } = this.#options;
      if (chunk.length !== undefined) await requireSpace(free, directory, chunk.length, what);
      if (size + (chunk.length ?? 0) > maxBytes) throw overLimit(what, "bytes", maxBytes);
      const state = await this.#hashed(path, size);
      const cut = (): void => void bytes.destroy(takenOver.reason as Error);
      takenOver.addEventListener("abort", cut, { once: true });
      try {
        takenOver.throwIfAborted();
        await using file = await open(path, "r+");
        await write(file, bytes, state, maxBytes);
      } catch (error) {
        // It may be ahead of the file, which is what counts.
        this.#hashes.delete(path);
        const isFull = isNoSpace(error);
        if (isFull || (error instanceof UniError && error.code === "image_unsafe")) await this.#remove(path);
        throw isFull ? noSpace(what, chunk.length ?? 1, undefined, error) : error;
      } finally {
        takenOver.removeEventListener("abort", cut);
      }
      return { size: state.size, inOrder: true };
    });
  }

  /** `keep` takes the file over when its bytes are those of the digest. */
  finish(
    owner: UploadOwner,
    id: string,
    { digest, keep }: { readonly digest: Digest; readonly keep: (path: string) => Promise<void> },
  ): Promise<void> {
    const path = this.#path(owner, id);
    return this.#takeOver(path, async () => {
      const { hash } = await this.#hashed(path, await sizeOf(path));
      const found = `sha256:${hash.copy().digest("hex")}`;
      if (found !== digest) {
        await this.#remove(path);
        throw new UniError("digest_mismatch", `${what}: its digest is ${found} instead of ${digest}`, {
          hint: "The bytes were damaged or changed on the way; push again.",
        });
      }
      await keep(path);
      this.#hashes.delete(path);
    });
  }

  cancel(owner: UploadOwner, id: string): Promise<void> {
    const path = this.#path(owner, id);
    return this.#takeOver(path, async () => {
      await sizeOf(path);
      await this.#remove(path);
    });
  }

  async expire(): Promise<void> {
    const { directory, clock } = this.#options;
    for (const account of await readdir(directory)) {
      for (const name of await readdir(join(directory, account))) {
        const path = join(directory, account, name);
        const touched = await stat(path).catch(() => undefined);
        if (touched === undefined || this.#turns.has(path)) continue;
        if (clock.now() - touched.mtimeMs >= expireAfterMs) await this.#remove(path);
      }
    }
  }

  /** One request at a time has the file. Whoever asks last wants it most: a client that tries again has lost its first connection. */
  async #takeOver<T>(path: string, task: (takenOver: AbortSignal) => Promise<T>): Promise<T> {
    const before = this.#turns.get(path);
    const over = Promise.withResolvers<void>();
    const turn: Turn = { takenOver: new AbortController(), over: over.promise };
    this.#turns.set(path, turn);
    before?.takenOver.abort(
      new UniError("wrong_state", `${what}: another request goes on with the same upload`),
    );
    try {
      await before?.over;
      return await task(turn.takenOver.signal);
    } finally {
      if (this.#turns.get(path) === turn) this.#turns.delete(path);
      over.resolve();
    }
  }

  async #hashed(path: string, size: number): Promise<{ readonly hash: Hash; size: number }> {
    const known = this.#hashes.get(path);
    if (known?.size === size) return known;
    const state = { hash: createHash("sha256"), size };
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) state.hash.update(chunk);
    this.#hashes.set(path, state);
    return state;
  }

  async #remove(path: string): Promise<void> {
    this.#hashes.delete(path);
    await rm(path, { force: true });
  }

  #path({ account, repository }: UploadOwner, id: string): string {
    if (!isUuid(id)) throw unknown();
    const of = createHash("sha256").update(repository).digest("hex").slice(0, 32);
    return join(this.#options.directory, account, `${id}.${of}`);
  }
}

/** What came before an error is in the file: the sender goes on from there. */
async function write(
  file: FileHandle,
  bytes: Readable,
  state: { readonly hash: Hash; size: number },
  maxBytes: number,
): Promise<void> {
  const writer = new ChunkWriter(file, state.size);
  let size = state.size;
  try {
    // Not destroyed when this gives up: the connection is needed for the answer.
    for await (const chunk of bytes.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (size + chunk.length > maxBytes) throw overLimit(what, "bytes", maxBytes);
      state.hash.update(chunk);
      size += chunk.length;
      await writer.add(chunk);
    }
  } finally {
    await writer.flush();
    state.size = size;
  }
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw unknown();
  return found.size;
}

function unknown(): UniError {
  return new UniError("not_found", "find the upload: there is no such upload in this repository", {
    hint: "It was finished, cancelled, or not touched for a day; begin anew.",
  });
}
