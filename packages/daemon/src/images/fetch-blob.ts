/** Brings one blob from a registry into the store; a break makes it go on where it was, as long as it gets on at all. */
import { createHash, type Hash } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { mismatch } from "./blob-store.ts";
import { chunksOf, fileSource } from "./byte-source.ts";
import { isNoSpace, noSpace } from "./disk-space.ts";
import { overLimit } from "./limits.ts";
import type { Descriptor } from "./oci.ts";
import type { PartialFile } from "./partial-blobs.ts";
import { isPassing } from "./remote/failures.ts";
import type { Room } from "./room.ts";
import type { BlobOrigin } from "./sources.ts";
import { abortable, type ByteStream } from "./spool.ts";
import { SweepWriter } from "./sweep-writer.ts";

export interface FetchOptions {
  readonly signal: AbortSignal;
  /** How much of it is there. */
  readonly onBytes: (bytes: number) => void;
}

const mostBreaks = 5;
const firstPauseMs = 250;

export function fetchBlob(
  room: Room,
  descriptor: Descriptor,
  origin: BlobOrigin,
  options: FetchOptions,
): Promise<void> {
  const { digest, size } = descriptor;
  return room.partials.alone(partialName(room, digest), async () => {
    options.signal.throwIfAborted();
    if (size > room.limits.bytes) throw overLimit(`fetch blob ${digest}`, "bytes", room.limits.bytes);
    if (await room.tenant.has(digest)) return options.onBytes(size);
    const isRight = await fetchWhole(room, descriptor, origin, options, false);
    // Also a partial that a power failure tore is found out like this.
    if (!isRight) await fetchWhole(room, descriptor, origin, options, true);
    await room.tenant.keep([digest]);
  });
}

/** Each account has its own: what another's download has is not to be had by bringing the rest. */
function partialName({ tenant }: Room, digest: Digest): string {
  const name = digest.slice("sha256:".length);
  return tenant.isMachine ? name : `${name}.${tenant.account}`;
}

async function fetchWhole(
  room: Room,
  { digest, size }: Descriptor,
  origin: BlobOrigin,
  options: FetchOptions,
  distrust: boolean,
): Promise<boolean> {
  const what = `fetch blob ${digest}`;
  const partial = partialName(room, digest);
  await using file = await room.partials.file(partial);
  const download = new Download(file, size, options);
  try {
    await download.recall();
    await room.blobs.requireSpace(size - download.length, what);
    await receive(room, download, { origin, what, distrust, ...options });
  } catch (error) {
    // What is kept is kept for the next try: not where there is nothing, or no room for it.
    const isFull = error instanceof UniError && error.code === "no_space";
    if (isFull || download.length === 0) await room.partials.remove(partial);
    throw error;
  }
  const found = download.digest();
  if (found === digest) {
    await room.blobs.adopt(file, digest);
    return true;
  }
  await room.partials.remove(partial);
  if (!distrust) return false;
  throw mismatch(what, `its digest is ${found} instead of ${digest}`);
}

interface ReceiveOptions extends FetchOptions {
  readonly origin: BlobOrigin;
  readonly what: string;
  readonly distrust: boolean;
}

async function receive(room: Room, download: Download, options: ReceiveOptions): Promise<void> {
  const { origin, what, distrust, signal } = options;
  for (let breaks = 0; download.length < download.size; ) {
    const before = download.length;
    try {
      const stretch = await origin.open(download.length, distrust);
      if (stretch.from !== download.length) await download.restart();
      await download.append(stretch.bytes);
      if (download.length < download.size) throw cutOff(what, download);
    } catch (error) {
      signal.throwIfAborted();
      if (isNoSpace(error)) throw noSpace(what, download.size, undefined, error);
      breaks = download.length > before ? 1 : breaks + 1;
      if (breaks >= mostBreaks || !isPassing(error)) throw error;
      room.log.info({ what, bytes: download.length, err: error }, "a blob broke off");
      await room.clock.sleep(firstPauseMs * 2 ** breaks, signal);
    }
  }
}

/** Has the code of a failure that may pass: the next try goes on from there. */
const cutOff = (what: string, { length, size }: Download): UniError =>
  new UniError("unreachable", `${what}: it ends after ${length} of ${size} bytes`, {
    hint: "The registry has lost a part of it: push the image again.",
    cause: Object.assign(new Error("cut off"), { code: "ECONNRESET" }),
  });

class Download {
  readonly size: number;
  readonly #file: PartialFile;
  readonly #options: FetchOptions;
  #hash: Hash = createHash("sha256");
  #length = 0;

  constructor(file: PartialFile, size: number, options: FetchOptions) {
    this.#file = file;
    this.size = size;
    this.#options = options;
  }

  get length(): number {
    return this.#length;
  }

  /** What an earlier try left. */
  async recall(): Promise<void> {
    const { size: there } = await this.#file.handle.stat();
    if (there > this.size) return this.restart();
    for await (const chunk of abortable(
      chunksOf(fileSource(this.#file.handle, there)),
      this.#options.signal,
    )) {
      this.#hash.update(chunk);
      this.#length += chunk.length;
    }
    this.#options.onBytes(this.#length);
  }

  async restart(): Promise<void> {
    await this.#file.handle.truncate(0);
    this.#hash = createHash("sha256");
    this.#length = 0;
  }

  async append(bytes: ByteStream): Promise<void> {
    const writer = new SweepWriter(this.#file.handle);
    try {
      for await (const chunk of abortable(bytes, this.#options.signal)) {
        const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
        if (this.#length + buffer.length > this.size) {
          throw mismatch("fetch a blob", `it is longer than its ${this.size} bytes`);
        }
        await writer.writeAt(this.#length, buffer);
        this.#hash.update(buffer);
        this.#length += buffer.length;
        this.#options.onBytes(this.#length);
      }
    } finally {
      // What came before a break is what the next try counts on.
      await writer.flush();
    }
  }

  digest(): string {
    return `sha256:${this.#hash.digest("hex")}`;
  }
}
