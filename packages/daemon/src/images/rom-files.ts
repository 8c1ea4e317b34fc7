/**
 * EROFS images of files that were given one by one, for ROMs. Each is named by its own digest, which is looked at each time
 * it is used, and is there once; it is kept while somebody holds it or a record names it, and goes with the last of them.
 */
import { createHash } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { KeyedQueue } from "../base/keyed-queue.ts";
import { ensureDirectory } from "../host/files.ts";
import { syncDirectory } from "./blob-store.ts";
import { bufferSource } from "./byte-source.ts";
import { isNoSpace, noSpace } from "./disk-space.ts";
import { erofsBlock } from "./erofs-format.ts";
import { type ImagePlan, planImage } from "./erofs-plan.ts";
import { writeErofs } from "./erofs-writer.ts";
import { type DirectoryNode, newDirectory } from "./tree.ts";

export interface RomFile {
  /** Relative, without dots; no other file's path leads through it. */
  readonly path: string;
  readonly bytes: Buffer;
}

const suffix = ".erofs";

export class RomFiles {
  readonly #directory: string;
  readonly #present: Set<string>;
  readonly #held = new Map<string, number>();
  readonly #queue = new KeyedQueue<string>();

  private constructor(directory: string, present: Set<string>) {
    this.#directory = directory;
    this.#present = present;
  }

  /** VMM processes, which run as users of their own, read them. */
  static async open(directory: string): Promise<RomFiles> {
    await ensureDirectory(directory, 0o711);
    const present = new Set<string>();
    for (const name of readdirSync(directory)) {
      if (name.endsWith(suffix)) present.add(name.slice(0, -suffix.length));
      else rmSync(join(directory, name));
    }
    return new RomFiles(directory, present);
  }

  path(id: string): string {
    return join(this.#directory, `${id}${suffix}`);
  }

  /** Its path; `rom_unusable` if what is there is not what was made. */
  async verified(id: string): Promise<string> {
    const path = this.path(id);
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") throw new UniError("rom_unusable", "the file that it is made of is gone");
      throw error;
    });
    if (digestOf(bytes) === id) return path;
    throw new UniError("rom_unusable", "the file that it is made of is damaged");
  }

  /** Kept until it is released, and for as long as a record names it. The same files given again mend a damaged image. */
  make(files: readonly RomFile[]): Promise<{ readonly id: string; release(): void }> {
    const content = contentOf(files);
    return this.#queue.run(content, () => this.#write(content, files));
  }

  /** Keeps these until the returned function is called. */
  hold(ids: readonly string[]): () => void {
    for (const id of ids) this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    return () => {
      for (const id of ids) {
        const left = (this.#held.get(id) ?? 1) - 1;
        if (left === 0) this.#held.delete(id);
        else this.#held.set(id, left);
      }
    };
  }

  /** `needed` is asked if there is any. */
  sweep(needed: () => ReadonlySet<string>): void {
    if (this.#present.size === 0) return;
    const keep = needed();
    for (const id of this.#present) {
      if (keep.has(id) || this.#held.has(id)) continue;
      this.#present.delete(id);
      rmSync(this.path(id), { force: true });
    }
  }

  async #write(content: string, files: readonly RomFile[]) {
    const aside = join(this.#directory, `${content}.tmp`);
    const root = treeOf(files);
    const plan = planImage(root);
    let release = () => {};
    try {
      await writeImage(aside, { content, root, plan, bytes: Buffer.concat(files.map(({ bytes }) => bytes)) });
      const id = digestOf(await readFile(aside));
      release = this.hold([id]);
      await rename(aside, this.path(id));
      this.#present.add(id);
      await syncDirectory(this.#directory);
      return { id, release };
    } catch (error) {
      release();
      await rm(aside, { force: true });
      if (isNoSpace(error)) throw noSpace("write a ROM", plan.blocks * erofsBlock, undefined, error);
      throw error;
    }
  }
}

const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Equal for equal files: their image's own id. */
function contentOf(files: readonly RomFile[]): string {
  const hash = createHash("sha256").update(JSON.stringify(files.map(({ path }) => path)));
  for (const { bytes } of files) hash.update(createHash("sha256").update(bytes).digest());
  return hash.digest("hex");
}

interface RomImage {
  readonly content: string;
  readonly root: DirectoryNode;
  readonly plan: ImagePlan;
  readonly bytes: Buffer;
}

/** Of whole blocks. */
async function writeImage(path: string, { content, root, plan, bytes }: RomImage): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await writeErofs(file, root, plan, {
      uuid: Buffer.from(content, "hex").subarray(0, 16),
      layers: [bufferSource(bytes)],
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    await file.chmod(0o444);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** All are root's; everybody may read and run them. */
function treeOf(files: readonly RomFile[]): DirectoryNode {
  const root = newDirectory();
  let position = 0;
  for (const { path, bytes } of files) {
    const names = path.split("/").map((name) => Buffer.from(name).toString("latin1"));
    let directory = root;
    for (const name of names.slice(0, -1)) directory = directoryIn(directory, name);
    const { length } = bytes;
    const extents = length === 0 ? [] : [{ offset: 0, length, position }];
    const { children: _, ...metadata } = newDirectory();
    const node = { ...metadata, kind: "file" as const, size: length, layer: 0, extents };
    directory.children.set(names.at(-1) ?? "", { node, layer: 0 });
    position += length;
  }
  return root;
}

function directoryIn(parent: DirectoryNode, name: string): DirectoryNode {
  const found = parent.children.get(name)?.node;
  if (found?.kind === "directory") return found;
  const node = newDirectory();
  parent.children.set(name, { node, layer: 0 });
  return node;
}
