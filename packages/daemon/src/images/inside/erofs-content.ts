/** Where the content of an inode lies: names of a directory, target of a link, extents of a file, attributes. */
import { dataLayouts, direntBytes, holeAddress } from "../erofs-format.ts";
import { readFileRange } from "../file-content.ts";
import { overLimit } from "../limits.ts";
import type { Extent } from "../tar-entry.ts";
import { nameOfPrefix } from "../xattrs.ts";
import { asNumber, type Erofs, erofsInvalid, exactly, type Inode } from "./erofs-read.ts";

export interface Name {
  /** A byte string. */
  readonly name: string;
  readonly id: number;
}

const chunkBitsMask = 0x1f;
const chunkIndexes = 0x20;
/** More than a map of the writer's has, and 4 GiB in chunks of a block. */
const maxChunks = 1 << 20;
const maxTargetBytes = 4095;
const maxNameBytes = 255;

/** Sorted and joined; what none of them covers is a hole. */
export function extentsOf(fs: Erofs, inode: Inode): Promise<Extent[]> | Extent[] {
  if (inode.layout === dataLayouts.chunks) return chunksOf(fs, inode);
  const { blockBytes } = fs;
  const blocks = Math.ceil(inode.size / blockBytes) - (inode.layout === dataLayouts.inline ? 1 : 0);
  const inBlocks = Math.min(inode.size, Math.max(0, blocks) * blockBytes);
  const extents: Extent[] = [];
  if (inBlocks > 0 && inode.union !== holeAddress) {
    extents.push({ offset: 0, length: inBlocks, position: inode.union * blockBytes });
  }
  if (inode.size > inBlocks) {
    const position = inode.xattrsAt + inode.xattrBytes;
    extents.push({ offset: inBlocks, length: inode.size - inBlocks, position });
  }
  return checked(fs, extents);
}

async function chunksOf(fs: Erofs, inode: Inode): Promise<Extent[]> {
  const format = inode.union;
  if (format >>> 6 !== 0) throw erofsInvalid(`inode ${inode.id} has chunks of an unknown form`);
  const chunkBytes = fs.blockBytes * 2 ** (format & chunkBitsMask);
  const count = Math.ceil(inode.size / chunkBytes);
  if (count > maxChunks) throw overLimit("read an EROFS file system", "chunks a file", maxChunks);
  const entryBytes = (format & chunkIndexes) === 0 ? 4 : 8;
  const start = Math.ceil((inode.xattrsAt + inode.xattrBytes) / entryBytes) * entryBytes;
  const map = await exactly(fs, start, count * entryBytes);
  const extents: Extent[] = [];
  for (let chunk = 0; chunk < count; chunk++) {
    const at = chunk * entryBytes;
    const block = map.readUInt32LE(entryBytes === 8 ? at + 4 : at);
    if (block === holeAddress) continue;
    if (entryBytes === 8 && map.readUInt16LE(at + 2) !== 0)
      throw erofsInvalid("a file lies on another device");
    const offset = chunk * chunkBytes;
    const length = Math.min(chunkBytes, inode.size - offset);
    const position = block * fs.blockBytes;
    const last = extents.at(-1);
    if (
      last !== undefined &&
      last.offset + last.length === offset &&
      last.position + last.length === position
    ) {
      extents[extents.length - 1] = { ...last, length: last.length + length };
    } else extents.push({ offset, length, position });
  }
  return checked(fs, extents);
}

function checked(fs: Erofs, extents: Extent[]): Extent[] {
  for (const { position, length } of extents) {
    if (position + length > fs.source.size) throw erofsInvalid("a file in it ends behind its own end");
  }
  return extents;
}

export async function targetOf(fs: Erofs, inode: Inode): Promise<string> {
  if (inode.size > maxTargetBytes) throw overLimit("read a symbolic link", "bytes a target", maxTargetBytes);
  const extents = await extentsOf(fs, inode);
  const bytes = await readFileRange(fs.source, { size: inode.size, extents }, 0, inode.size);
  return bytes.toString("latin1");
}

/** Without "." and "..". */
export async function* namesIn(fs: Erofs, directory: Inode): AsyncGenerator<Name> {
  const extents = await extentsOf(fs, directory);
  const blocks = Math.ceil(directory.size / fs.blockBytes);
  for (let block = 0; block < blocks; block++) yield* await readBlock(fs, directory, extents, block);
}

/** Blocks are searched by halving, as the kernel does: names are sorted by their bytes. */
export async function findName(fs: Erofs, directory: Inode, name: string): Promise<number | undefined> {
  const extents = await extentsOf(fs, directory);
  let low = 0;
  let high = Math.ceil(directory.size / fs.blockBytes) - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const names = await readBlock(fs, directory, extents, middle, true);
    const [first] = names;
    const last = names.at(-1);
    if (first === undefined || last === undefined) return undefined;
    if (name < first.name) high = middle - 1;
    else if (name > last.name) low = middle + 1;
    else return names.find((each) => each.name === name)?.id;
  }
  return undefined;
}

async function readBlock(
  fs: Erofs,
  directory: Inode,
  extents: readonly Extent[],
  number: number,
  withDots = false,
): Promise<Name[]> {
  const start = number * fs.blockBytes;
  const length = Math.min(fs.blockBytes, directory.size - start);
  const block = await readFileRange(fs.source, { size: directory.size, extents }, start, length);
  const namesStart = length < direntBytes ? 0 : block.readUInt16LE(8);
  const count = namesStart / direntBytes;
  if (count < 1 || !Number.isInteger(count) || namesStart > length) {
    throw erofsInvalid(`directory ${directory.id} has a broken block`);
  }
  const names: Name[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * direntBytes;
    const nameStart = block.readUInt16LE(at + 8);
    const nameEnd = index + 1 < count ? block.readUInt16LE(at + direntBytes + 8) : length;
    const name = block.toString("latin1", Math.max(nameStart, namesStart), Math.min(nameEnd, length));
    const text = index + 1 < count ? name : (name.split("\0", 1)[0] ?? "");
    if (text === "" || text.length > maxNameBytes || /[/\0]/.test(text)) {
      throw erofsInvalid(`directory ${directory.id} has a broken name`);
    }
    if (withDots || (text !== "." && text !== "..")) {
      names.push({ name: text, id: asNumber(block.readBigUInt64LE(at)) });
    }
  }
  return names;
}

const entryHeaderBytes = 4;

/** Attributes stand behind the inode, or in an area that several inodes share. */
export async function xattrsOf(fs: Erofs, inode: Inode): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  if (inode.xattrBytes === 0) return found;
  const body = await exactly(fs, inode.xattrsAt, inode.xattrBytes);
  const shared = body.readUInt8(4);
  let at = 12 + shared * 4;
  if (at > body.length) throw erofsInvalid(`inode ${inode.id} has broken attributes`);
  for (let index = 0; index < shared; index++) {
    const position = fs.xattrsStart + body.readUInt32LE(12 + index * 4) * 4;
    const head = await exactly(fs, position, entryHeaderBytes);
    addXattr(found, await exactly(fs, position, xattrEntryBytes(head)));
  }
  while (at + entryHeaderBytes <= body.length) {
    const bytes = xattrEntryBytes(body.subarray(at));
    if (at + bytes > body.length) throw erofsInvalid(`inode ${inode.id} has broken attributes`);
    addXattr(found, body.subarray(at, at + bytes));
    at += Math.ceil(bytes / 4) * 4;
  }
  return found;
}

const xattrEntryBytes = (head: Buffer): number => entryHeaderBytes + head.readUInt8(0) + head.readUInt16LE(2);

function addXattr(found: Map<string, Buffer>, entry: Buffer): void {
  const nameEnd = entryHeaderBytes + entry.readUInt8(0);
  const prefix = nameOfPrefix(entry.readUInt8(1));
  if (prefix === undefined) return;
  const name = prefix + entry.toString("latin1", entryHeaderBytes, nameEnd);
  found.set(name, Buffer.from(entry.subarray(nameEnd)));
}
