/** On-disk structures of EROFS, uncompressed (linux/fs/erofs/erofs_fs.h, 5.15 or later for chunk maps). Little endian. */

import type { Node } from "./tree.ts";
import { splitXattr } from "./xattrs.ts";

export const erofsBlock = 4096;
export const superblockOffset = 1024;
export const superblockBytes = 128;
export const inodeBytes = 64;
/** Inodes are numbered by their offset in units of this. */
export const slotBytes = 32;
export const direntBytes = 12;
export const holeAddress = 0xffff_ffff;

export const erofsMagic = 0xe0f5e1e2;
const featureChunkedFile = 0x4;

/** How an inode's data is found: blocks; blocks and a tail behind the inode; a map of chunks behind the inode. */
export const dataLayouts = { plain: 0, inline: 2, chunks: 4 } as const;
export type DataLayout = (typeof dataLayouts)[keyof typeof dataLayouts];

const kinds = {
  file: { dirent: 1, mode: 0o100000 },
  directory: { dirent: 2, mode: 0o040000 },
  char: { dirent: 3, mode: 0o020000 },
  block: { dirent: 4, mode: 0o060000 },
  fifo: { dirent: 5, mode: 0o010000 },
  symlink: { dirent: 7, mode: 0o120000 },
} as const satisfies Record<Node["kind"], { dirent: number; mode: number }>;

export interface InodeFields {
  readonly layout: DataLayout;
  readonly xattrBytes: number;
  readonly size: number;
  /** First block, device number or chunk format, as the kind of inode has it. */
  readonly union: number;
  readonly number: number;
  readonly links: number;
}

/** The extended form: 32-bit owners, 64-bit size, its own time. */
export function encodeInode(node: Node, fields: InodeFields): Buffer {
  const inode = Buffer.alloc(inodeBytes);
  inode.writeUInt16LE(1 | (fields.layout << 1), 0);
  inode.writeUInt16LE(xattrCount(fields.xattrBytes), 2);
  inode.writeUInt16LE(kinds[node.kind].mode | node.mode, 4);
  inode.writeBigUInt64LE(BigInt(fields.size), 8);
  inode.writeUInt32LE(fields.union, 16);
  inode.writeUInt32LE(fields.number, 20);
  inode.writeUInt32LE(node.uid, 24);
  inode.writeUInt32LE(node.gid, 28);
  inode.writeBigInt64LE(BigInt(node.mtime.seconds), 32);
  inode.writeUInt32LE(node.mtime.nanoseconds, 40);
  inode.writeUInt32LE(fields.links, 44);
  return inode;
}

/** As new_encode_dev() in linux/kdev_t.h. */
export function encodeDevice(device: { readonly major: number; readonly minor: number }): number {
  return ((device.minor & 0xff) | (device.major << 8) | ((device.minor & ~0xff) << 12)) >>> 0;
}

/** Chunks of 2^(12 + bits) bytes, located by plain block addresses. */
export const encodeChunkFormat = (bits: number): number => bits;

const xattrHeaderBytes = 12;

/** The attributes that stand behind an inode: a header, then name and value each padded to 4. */
export function encodeXattrs(xattrs: ReadonlyMap<string, Buffer>): Buffer {
  if (xattrs.size === 0) return Buffer.alloc(0);
  const parts: Buffer[] = [Buffer.alloc(xattrHeaderBytes)];
  for (const name of [...xattrs.keys()].sort()) {
    const split = splitXattr(name);
    const value = xattrs.get(name);
    if (split === undefined || value === undefined) continue;
    const suffix = Buffer.from(split.suffix, "latin1");
    const entry = Buffer.alloc(alignUp(4 + suffix.length + value.length, 4));
    entry.writeUInt8(suffix.length, 0);
    entry.writeUInt8(split.index, 1);
    entry.writeUInt16LE(value.length, 2);
    suffix.copy(entry, 4);
    value.copy(entry, 4 + suffix.length);
    parts.push(entry);
  }
  return Buffer.concat(parts);
}

const xattrCount = (bytes: number): number => (bytes === 0 ? 0 : 1 + (bytes - xattrHeaderBytes) / 4);

export interface Dirent {
  readonly name: string;
  readonly kind: Node["kind"];
  readonly slot: number;
}

/** One block of a directory, without its padding: all entries first, then all names. */
export function encodeDirentBlock(entries: readonly Dirent[]): Buffer {
  const bytes = entries.reduce((sum, { name }) => sum + direntBytes + name.length, 0);
  const block = Buffer.alloc(bytes);
  let nameOffset = entries.length * direntBytes;
  for (const [index, { name, kind, slot }] of entries.entries()) {
    const at = index * direntBytes;
    block.writeBigUInt64LE(BigInt(slot), at);
    block.writeUInt16LE(nameOffset, at + 8);
    block.writeUInt8(kinds[kind].dirent, at + 10);
    nameOffset += block.write(name, nameOffset, "latin1");
  }
  return block;
}

export interface Superblock {
  readonly rootSlot: number;
  readonly inodes: number;
  readonly blocks: number;
  readonly uuid: Buffer;
  readonly chunkedFiles: boolean;
}

export function encodeSuperblock(fields: Superblock): Buffer {
  const block = Buffer.alloc(superblockBytes);
  block.writeUInt32LE(erofsMagic, 0);
  block.writeUInt8(Math.log2(erofsBlock), 12);
  block.writeUInt16LE(fields.rootSlot, 14);
  block.writeBigUInt64LE(BigInt(fields.inodes), 16);
  block.writeUInt32LE(fields.blocks, 36);
  fields.uuid.copy(block, 48, 0, 16);
  block.writeUInt32LE(fields.chunkedFiles ? featureChunkedFile : 0, 80);
  return block;
}

export const alignUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
