/** Writes a planned tree as an EROFS image. The same tree, contents and uuid give the same bytes. */
import type { FileHandle } from "node:fs/promises";
import { type ByteSource, windowed } from "./byte-source.ts";
import {
  type Dirent,
  encodeChunkFormat,
  encodeDevice,
  encodeDirentBlock,
  encodeInode,
  encodeSuperblock,
  erofsBlock,
  holeAddress,
  slotBytes,
  superblockOffset,
} from "./erofs-format.ts";
import type { ImagePlan, InodePlan } from "./erofs-plan.ts";
import { readFileRange } from "./file-content.ts";
import { SweepWriter } from "./sweep-writer.ts";
import type { DirectoryNode } from "./tree.ts";

export interface WriteErofsOptions {
  readonly uuid: Buffer;
  /** By number of the layer. */
  readonly layers: readonly ByteSource[];
  readonly signal: AbortSignal;
  readonly onProgress: (inodes: number, total: number) => void;
}

const copyBytes = 1 << 20;

export async function writeErofs(
  file: FileHandle,
  root: DirectoryNode,
  plan: ImagePlan,
  options: WriteErofsOptions,
): Promise<void> {
  const inodes = new SweepWriter(file);
  const data = new SweepWriter(file);
  const layers = options.layers.map(windowed);
  const rootPlan = plan.byNode.get(root);
  await inodes.writeAt(
    superblockOffset,
    encodeSuperblock({
      rootSlot: (rootPlan?.offset ?? 0) / slotBytes,
      inodes: plan.inodes.length,
      blocks: plan.blocks,
      uuid: options.uuid,
      chunkedFiles: plan.inodes.some(({ chunks }) => chunks !== undefined),
    }),
  );
  for (const [index, inode] of plan.inodes.entries()) {
    if (index % 512 === 0) {
      options.signal.throwIfAborted();
      options.onProgress(index, plan.inodes.length);
    }
    await inodes.writeAt(inode.offset, encodeHead(inode, plan));
    await writeContent(inode, { plan, layers, inodes, data, signal: options.signal });
  }
  await inodes.flush();
  await data.flush();
  await file.truncate(plan.blocks * erofsBlock);
  options.onProgress(plan.inodes.length, plan.inodes.length);
}

function encodeHead(inode: InodePlan, plan: ImagePlan): Buffer {
  const { node, layout, size, number, xattrs } = inode;
  const links = plan.links.get(node) ?? 1;
  const head = encodeInode(node, {
    layout,
    size,
    number,
    links,
    xattrBytes: xattrs.length,
    union: unionOf(inode, plan),
  });
  return Buffer.concat([head, xattrs]);
}

function unionOf({ node, chunks, dataBlock }: InodePlan, plan: ImagePlan): number {
  if (node.kind === "char" || node.kind === "block") return encodeDevice(node.device);
  if (chunks !== undefined) return encodeChunkFormat(chunks.bits);
  return plan.dataStart + dataBlock;
}

interface Output {
  readonly plan: ImagePlan;
  readonly layers: readonly ByteSource[];
  readonly inodes: SweepWriter;
  readonly data: SweepWriter;
  readonly signal: AbortSignal;
}

async function writeContent(inode: InodePlan, output: Output): Promise<void> {
  const { node, chunks } = inode;
  if (chunks !== undefined) return writeChunks(inode, output);
  if (node.kind === "symlink") return writeBytes(inode, Buffer.from(node.target, "latin1"), output);
  if (node.kind === "directory") return writeBytes(inode, encodeDirectory(node, inode, output.plan), output);
  if (node.kind !== "file") return;
  const layer = output.layers[node.layer];
  if (layer === undefined) throw new Error(`layer ${node.layer} is not open`);
  const blocksEnd = inode.size - inode.tailBytes;
  for (let offset = 0; offset < blocksEnd; offset += copyBytes) {
    output.signal.throwIfAborted();
    const piece = await readFileRange(layer, node, offset, Math.min(copyBytes, blocksEnd - offset));
    await output.data.writeAt(dataOffset(inode, output) + offset, piece);
  }
  if (inode.tailBytes > 0) {
    const tail = await readFileRange(layer, node, blocksEnd, inode.tailBytes);
    await output.inodes.writeAt(headEnd(inode), tail);
  }
}

async function writeBytes(inode: InodePlan, bytes: Buffer, output: Output): Promise<void> {
  const blocksEnd = inode.size - inode.tailBytes;
  if (blocksEnd > 0) await output.data.writeAt(dataOffset(inode, output), bytes.subarray(0, blocksEnd));
  if (inode.tailBytes > 0) await output.inodes.writeAt(headEnd(inode), bytes.subarray(blocksEnd));
}

async function writeChunks(inode: InodePlan, output: Output): Promise<void> {
  const { node, chunks } = inode;
  if (node.kind !== "file" || chunks === undefined) return;
  const layer = output.layers[node.layer];
  if (layer === undefined) throw new Error(`layer ${node.layer} is not open`);
  const bytes = erofsBlock * 2 ** chunks.bits;
  const map = Buffer.alloc(chunks.count * 4, 0xff);
  for (const [index, chunk] of chunks.present.entries()) {
    const block = output.plan.dataStart + inode.dataBlock + index * 2 ** chunks.bits;
    if (block >= holeAddress) throw new RangeError("block address out of range");
    map.writeUInt32LE(block, chunk * 4);
    const start = chunk * bytes;
    const end = Math.min(start + bytes, node.size);
    for (let offset = start; offset < end; offset += copyBytes) {
      output.signal.throwIfAborted();
      const piece = await readFileRange(layer, node, offset, Math.min(copyBytes, end - offset));
      await output.data.writeAt(block * erofsBlock + (offset - start), piece);
    }
  }
  await output.inodes.writeAt(headEnd(inode), map);
}

function encodeDirectory(node: DirectoryNode, inode: InodePlan, plan: ImagePlan): Buffer {
  const parent = plan.parents.get(node) ?? node;
  const bytes = Buffer.alloc(inode.size);
  for (const [index, names] of inode.nameBlocks.entries()) {
    const dirents = names.map((name): Dirent => {
      const target = name === "." ? node : name === ".." ? parent : node.children.get(name)?.node;
      const planned = target === undefined ? undefined : plan.byNode.get(target);
      if (planned === undefined) throw new Error(`no inode planned for a directory entry`);
      return { name, kind: planned.node.kind, slot: planned.offset / slotBytes };
    });
    encodeDirentBlock(dirents).copy(bytes, index * erofsBlock);
  }
  return bytes;
}

const headEnd = (inode: InodePlan): number => inode.offset + 64 + inode.xattrs.length;
const dataOffset = (inode: InodePlan, output: Output): number =>
  (output.plan.dataStart + inode.dataBlock) * erofsBlock;
