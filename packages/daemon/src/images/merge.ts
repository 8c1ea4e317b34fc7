/**
 * Lays one layer over a tree, by the rules of the OCI image specification ("Applying Changesets"). Whiteouts go first:
 * they hide what lower layers brought, wherever in the layer they stand, and never what the same layer adds.
 */
import { UniError } from "@uni/contract/errors";
import { defaultLimits, type ImageLimits, overLimit } from "./limits.ts";
import { escapes, type Place, resolveParent, splitName } from "./resolve-path.ts";
import { showName, type TarEntry } from "./tar-entry.ts";
import { type Child, type DirectoryNode, type Metadata, type Node, newDirectory } from "./tree.ts";
import { keepXattrs } from "./xattrs.ts";

const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";
const auditPrefix = ".wh..wh.";
const maxDepth = 512;

export class Merge {
  readonly root: DirectoryNode = newDirectory();
  readonly #limits: ImageLimits;
  readonly #whiteouts: boolean;
  #layer = -1;
  #entries = 0;

  /** Without `whiteouts` names that look like one are ordinary names: a build context is no layer. */
  constructor(options: { readonly limits?: ImageLimits; readonly whiteouts: boolean }) {
    this.#limits = options.limits ?? defaultLimits;
    this.#whiteouts = options.whiteouts;
  }

  /** Contents of the layer's files are known as its number from here on. */
  async add(entries: AsyncIterable<TarEntry>): Promise<void> {
    this.#layer++;
    const additions: { readonly entry: TarEntry; readonly parts: readonly string[] }[] = [];
    for await (const entry of entries) {
      this.#count();
      const parts = splitName(entry.name);
      if (parts.length > maxDepth) throw overLimit(`place "${showName(entry.name)}"`, "levels", maxDepth);
      const name = parts.at(-1) ?? "";
      if (this.#whiteouts && name.startsWith(whiteoutPrefix)) this.#hide(entry.name, parts, name);
      else additions.push({ entry, parts });
    }
    for (const { entry, parts } of additions) this.#place(entry, parts);
  }

  #hide(full: string, parts: readonly string[], name: string): void {
    if (name !== opaqueName && name.startsWith(auditPrefix)) return; // AUFS bookkeeping.
    const place = this.#find([...parts]);
    if (name === opaqueName) {
      for (const [child, { layer }] of place.parent.children) {
        if (layer < this.#layer) place.parent.children.delete(child);
      }
      return;
    }
    const hidden = name.slice(whiteoutPrefix.length);
    if (hidden === "" || hidden === "." || hidden === "..") throw escapes(full, "it hides no name");
    const child = place.parent.children.get(hidden);
    if (child !== undefined && child.layer < this.#layer) place.parent.children.delete(hidden);
  }

  #place(entry: TarEntry, parts: readonly string[]): void {
    if (parts.length === 0) {
      if (entry.type !== "directory") throw invalid(entry, "the root is not a directory");
      setMetadata(this.root, entry);
      return;
    }
    const { parent, name } = this.#find(parts);
    const existing = parent.children.get(name)?.node;
    if (entry.type === "directory" && existing?.kind === "directory") {
      setMetadata(existing, entry);
      // The name belongs to this layer now, its children stay with theirs.
      parent.children.set(name, { node: existing, layer: this.#layer });
      return;
    }
    const node = entry.type === "hardlink" ? this.#linkTarget(entry) : makeNode(entry, this.#layer);
    parent.children.set(name, { node, layer: this.#layer });
  }

  #linkTarget(entry: TarEntry): Node {
    const parts = splitName(entry.linkName);
    if (parts.length === 0) throw invalid(entry, "a hard link to the root");
    const place = this.#find(parts);
    const target: Child | undefined = place.parent.children.get(place.name);
    if (target === undefined)
      throw invalid(entry, `its hard link target "${showName(entry.linkName)}" is missing`);
    if (target.node.kind === "directory") throw invalid(entry, "a hard link to a directory");
    return target.node;
  }

  #find(parts: readonly string[]): Place {
    return resolveParent(this.root, parts, { layer: this.#layer, onMade: () => this.#count() });
  }

  #count(): void {
    if (++this.#entries > this.#limits.entries) {
      throw overLimit("merge the layers of an image", "entries", this.#limits.entries);
    }
  }
}

function makeNode(entry: TarEntry, layer: number): Node {
  const metadata = metadataOf(entry);
  switch (entry.type) {
    case "directory":
      return { kind: "directory", ...metadata, children: new Map() };
    case "file":
      return { kind: "file", ...metadata, size: entry.size, extents: entry.extents, layer };
    case "symlink":
      if (entry.linkName === "") throw invalid(entry, "a symbolic link without a target");
      return { kind: "symlink", ...metadata, target: entry.linkName };
    case "char":
    case "block":
      return { kind: entry.type, ...metadata, device: checkDevice(entry) };
    case "fifo":
      return { kind: "fifo", ...metadata };
    case "hardlink":
      throw invalid(entry, "a hard link without a target");
  }
}

function metadataOf(entry: TarEntry): Metadata {
  const { mode, uid, gid, mtime } = entry;
  return { mode, uid, gid, mtime, xattrs: keepXattrs(entry) };
}

function setMetadata(node: DirectoryNode, entry: TarEntry): void {
  Object.assign(node, metadataOf(entry));
}

/** Linux packs a device number into 12 bits of major and 20 of minor. */
function checkDevice(entry: TarEntry) {
  const { major, minor } = entry.device;
  if (major < 0 || major >= 1 << 12 || minor < 0 || minor >= 1 << 20) {
    throw invalid(entry, "its device number is out of range");
  }
  return entry.device;
}

function invalid(entry: TarEntry, reason: string): UniError {
  return new UniError("image_invalid", `place "${showName(entry.name)}": ${reason}`, {
    hint: "The layer is damaged; build or copy the image again.",
  });
}
