/**
 * Decides where everything of a tree goes in an EROFS image, before a byte is written: superblock, inodes with what
 * stands behind them, then whole blocks of data. Directories come first, so that looking up a path touches few blocks;
 * files come in the order of their contents in the layers, so that both are read and written in one sweep.
 */
import {
  alignUp,
  type DataLayout,
  dataLayouts,
  direntBytes,
  encodeXattrs,
  erofsBlock,
  inodeBytes,
  slotBytes,
  superblockBytes,
  superblockOffset,
} from "./erofs-format.ts";
import type { DirectoryNode, FileNode, Node } from "./tree.ts";
import { walk } from "./tree.ts";

export interface InodePlan {
  readonly node: Node;
  readonly number: number;
  readonly layout: DataLayout;
  readonly xattrs: Buffer;
  /** Byte offset of the inode in the image. */
  readonly offset: number;
  readonly size: number;
  /** Bytes at the end of the data that stand behind the inode. */
  readonly tailBytes: number;
  /** Number of the first data block, counted from the start of the data area. */
  readonly dataBlock: number;
  readonly chunks: ChunkPlan | undefined;
  /** Of a directory: its names per block. */
  readonly nameBlocks: readonly (readonly string[])[];
}

/** Chunks of 2^(12 + bits) bytes; those not listed in `present` are holes. */
export interface ChunkPlan {
  readonly bits: number;
  readonly count: number;
  readonly present: readonly number[];
}

export interface ImagePlan {
  readonly inodes: readonly InodePlan[];
  readonly byNode: ReadonlyMap<Node, InodePlan>;
  readonly links: ReadonlyMap<Node, number>;
  readonly parents: ReadonlyMap<DirectoryNode, DirectoryNode>;
  /** First block of the data area. */
  readonly dataStart: number;
  readonly blocks: number;
}

/** A chunk map is kept to at most this many entries by making the chunks larger. */
const maxChunks = 1 << 18;

export function planImage(root: DirectoryNode): ImagePlan {
  const { links, parents } = countLinks(root);
  const inodes: InodePlan[] = [];
  const byNode = new Map<Node, InodePlan>();
  let cursor = superblockOffset + superblockBytes;
  let dataBlocks = 0;
  for (const node of inOrder(root)) {
    const { plan, end, blocks } = planInode(node, inodes.length + 1, cursor, dataBlocks);
    inodes.push(plan);
    byNode.set(node, plan);
    cursor = end;
    dataBlocks += blocks;
  }
  const dataStart = alignUp(cursor, erofsBlock) / erofsBlock;
  return { inodes, byNode, links, parents, dataStart, blocks: dataStart + dataBlocks };
}

function countLinks(root: DirectoryNode) {
  const links = new Map<Node, number>();
  const parents = new Map<DirectoryNode, DirectoryNode>([[root, root]]);
  for (const node of walk(root)) {
    if (node.kind !== "directory") continue;
    let subdirectories = 0;
    for (const { node: child } of node.children.values()) {
      if (child.kind === "directory") {
        subdirectories++;
        parents.set(child, node);
      } else links.set(child, (links.get(child) ?? 0) + 1);
    }
    links.set(node, 2 + subdirectories);
  }
  return { links, parents };
}

function inOrder(root: DirectoryNode): Node[] {
  const directories: Node[] = [];
  const small: Node[] = [];
  const files: FileNode[] = [];
  for (const node of walk(root)) {
    if (node.kind === "directory") directories.push(node);
    else if (node.kind === "file") files.push(node);
    else small.push(node);
  }
  const start = (file: FileNode): number => file.extents[0]?.position ?? 0;
  files.sort((a, b) => a.layer - b.layer || start(a) - start(b));
  return [...directories, ...small, ...files];
}

function planInode(node: Node, number: number, cursor: number, dataBlock: number) {
  const xattrs = encodeXattrs(node.xattrs);
  const head = inodeBytes + xattrs.length;
  const nameBlocks = node.kind === "directory" ? splitNames(node) : [];
  const size = sizeOf(node, nameBlocks);
  const chunks = node.kind === "file" ? planChunks(node) : undefined;
  const base = { node, number, xattrs, size, chunks, nameBlocks, dataBlock };
  const first = inodeStart(cursor);
  if (chunks !== undefined) {
    const plan: InodePlan = { ...base, layout: dataLayouts.chunks, offset: first, tailBytes: 0 };
    const blocks = chunks.present.length * 2 ** chunks.bits;
    return { plan, end: first + head + chunks.count * 4, blocks };
  }
  const tail = size % erofsBlock;
  const inline = tail === 0 ? undefined : inlineStart(cursor, head, tail);
  if (inline !== undefined) {
    const plan: InodePlan = { ...base, layout: dataLayouts.inline, offset: inline, tailBytes: tail };
    return { plan, end: inline + head + tail, blocks: (size - tail) / erofsBlock };
  }
  const plan: InodePlan = { ...base, layout: dataLayouts.plain, offset: first, tailBytes: 0 };
  return { plan, end: first + head, blocks: Math.ceil(size / erofsBlock) };
}

/** An inode stands on a slot and does not cross a block. */
function inodeStart(cursor: number): number {
  const start = alignUp(cursor, slotBytes);
  return (start % erofsBlock) + inodeBytes > erofsBlock ? alignUp(start, erofsBlock) : start;
}

/**
 * Where the inode must stand for its tail to lie in one block, which the kernel insists on; undefined if that wastes
 * more than a block of its own for the tail would.
 */
function inlineStart(cursor: number, head: number, tail: number): number | undefined {
  const start = inodeStart(cursor);
  const tailStart = (start + head) % erofsBlock;
  if (tailStart + tail <= erofsBlock) return start;
  const next = alignUp(start, erofsBlock);
  const fits = head + tail <= erofsBlock;
  return fits && next - cursor < erofsBlock - tail ? next : undefined;
}

function sizeOf(node: Node, nameBlocks: readonly (readonly string[])[]): number {
  if (node.kind === "file") return node.size;
  if (node.kind === "symlink") return node.target.length;
  if (node.kind !== "directory") return 0;
  const last = nameBlocks.at(-1) ?? [];
  const lastBytes = last.reduce((sum, name) => sum + direntBytes + name.length, 0);
  return (nameBlocks.length - 1) * erofsBlock + lastBytes;
}

/** Sorted by bytes, "." and ".." among them: the kernel searches by halving. */
function splitNames(node: DirectoryNode): string[][] {
  const blocks: string[][] = [];
  let block: string[] = [];
  let used = 0;
  for (const name of [".", "..", ...node.children.keys()].sort()) {
    const bytes = direntBytes + name.length;
    if (used + bytes > erofsBlock) {
      blocks.push(block);
      block = [];
      used = 0;
    }
    block.push(name);
    used += bytes;
  }
  return [...blocks, block];
}

/** Only for files with a hole worth it. */
function planChunks(node: FileNode): ChunkPlan | undefined {
  let covered = 0;
  for (const extent of node.extents) covered += extent.length;
  if (node.size - covered < erofsBlock) return undefined;
  let bits = 0;
  while (node.size > maxChunks * erofsBlock * 2 ** bits) bits++;
  const bytes = erofsBlock * 2 ** bits;
  const present: number[] = [];
  for (const { offset, length } of node.extents) {
    const last = Math.floor((offset + length - 1) / bytes);
    for (let chunk = Math.floor(offset / bytes); chunk <= last; chunk++) {
      if (present.at(-1) !== chunk) present.push(chunk);
    }
  }
  return { bits, count: Math.ceil(node.size / bytes), present };
}
