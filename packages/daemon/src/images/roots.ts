/** EROFS roots, one for each distinct sequence of layer contents, made once. */
import { createHash } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@uni/contract/ids";
import { KeyedQueue } from "../base/keyed-queue.ts";
import { ensureDirectory } from "../host/files.ts";
import { syncDirectory } from "./blob-store.ts";
import { type FreeBytes, isNoSpace, noSpace, requireSpace } from "./disk-space.ts";
import { erofsBlock } from "./erofs-format.ts";
import { planImage } from "./erofs-plan.ts";
import { writeErofs } from "./erofs-writer.ts";
import type { OpenLayers } from "./layer-files.ts";
import { type ImageLimits, overLimit } from "./limits.ts";
import { Merge } from "./merge.ts";
import type { ImageOptions } from "./port.ts";
import type { Scratch } from "./scratch.ts";
import { readTar } from "./tar-reader.ts";
import type { DirectoryNode } from "./tree.ts";

/** Part of every key: raised when the same layers would give another image. */
const formatVersion = 1;
const suffix = ".erofs";

export class Roots {
  readonly #directory: string;
  readonly #scratch: Scratch;
  readonly #free: FreeBytes;
  readonly #limits: ImageLimits;
  readonly #queue = new KeyedQueue<string>();

  constructor(directory: string, options: { scratch: Scratch; free: FreeBytes; limits: ImageLimits }) {
    this.#directory = directory;
    this.#scratch = options.scratch;
    this.#free = options.free;
    this.#limits = options.limits;
  }

  /** Roots are read by the VMM processes, which run as users of their own. */
  open(): Promise<void> {
    return ensureDirectory(this.#directory, 0o755);
  }

  path(key: string): string {
    return join(this.#directory, `${key}${suffix}`);
  }

  async size(key: string): Promise<number | undefined> {
    return (await stat(this.path(key)).catch(() => undefined))?.size;
  }

  /** Several calls for one key make one root. */
  ensure(key: string, root: DirectoryNode, layers: OpenLayers, options: ImageOptions): Promise<number> {
    return this.#queue.run(key, async () => {
      return (await this.size(key)) ?? (await this.#make(key, root, layers, options));
    });
  }

  /** Bytes that each has on the disk. */
  async sizes(): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const name of await readdir(this.#directory)) {
      const file = await stat(join(this.#directory, name)).catch(() => undefined);
      if (file !== undefined) sizes.set(name.slice(0, -suffix.length), file.blocks * 512);
    }
    return sizes;
  }

  sweep(keep: (key: string) => boolean): number {
    let freed = 0;
    for (const name of readdirSync(this.#directory)) {
      if (name.endsWith(suffix) && keep(name.slice(0, -suffix.length))) continue;
      const path = join(this.#directory, name);
      freed += statSync(path).blocks * 512;
      rmSync(path, { force: true });
    }
    return freed;
  }

  async #make(key: string, root: DirectoryNode, layers: OpenLayers, options: ImageOptions): Promise<number> {
    const what = "write the image's root";
    const plan = planImage(root);
    const bytes = plan.blocks * erofsBlock;
    if (bytes > this.#limits.bytes) throw overLimit(what, "bytes an image", this.#limits.bytes);
    await requireSpace(this.#free, this.#directory, bytes, what);
    await using file = await this.#scratch.file();
    try {
      await writeErofs(file.handle, root, plan, {
        uuid: Buffer.from(key, "hex").subarray(0, 16),
        layers: layers.sources,
        signal: options.signal,
        onProgress: (current, total) =>
          options.onProgress({ step: "root", message: "writing the root", current, total }),
      });
      await file.handle.chmod(0o444);
      await file.handle.sync();
    } catch (error) {
      if (isNoSpace(error)) throw noSpace(what, bytes, undefined, error);
      throw error;
    }
    await rename(file.path, this.path(key));
    await syncDirectory(this.#directory);
    return bytes;
  }
}

export function rootKey(diffIds: readonly Digest[]): string {
  return createHash("sha256")
    .update(JSON.stringify([formatVersion, ...diffIds]))
    .digest("hex");
}

export async function mergeLayers(
  layers: OpenLayers,
  limits: ImageLimits,
  options: ImageOptions,
): Promise<DirectoryNode> {
  const merge = new Merge({ limits, whiteouts: true });
  for (const [index, source] of layers.sources.entries()) {
    options.signal.throwIfAborted();
    const total = layers.sources.length;
    options.onProgress({ step: "layers", message: "merging layers", current: index + 1, total });
    await merge.add(readTar(source, limits));
  }
  return merge.root;
}
