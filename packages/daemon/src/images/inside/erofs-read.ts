/**
 * Reads uncompressed EROFS (linux/fs/erofs/erofs_fs.h), our own and that of mkfs.erofs. Nothing in it is believed: every
 * position is checked against the file's size, and what is compressed or spread over devices is refused by name.
 */
import { UniError } from "@uni/contract/errors";
import type { ByteSource } from "../byte-source.ts";
import { dataLayouts, erofsMagic, slotBytes, superblockBytes, superblockOffset } from "../erofs-format.ts";

export interface Erofs {
  readonly source: ByteSource;
  readonly blockBytes: number;
  /** Byte offsets that inode numbers and ids of shared attributes count from. */
  readonly inodesStart: number;
  readonly xattrsStart: number;
  /** Time of inodes that have none of their own. */
  readonly time: Time;
  readonly root: number;
}

export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export type InodeKind = "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";

export interface Inode {
  readonly id: number;
  readonly kind: InodeKind;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: Time;
  readonly size: number;
  readonly layout: number;
  /** First block, device number or chunk format. */
  readonly union: number;
  readonly xattrsAt: number;
  readonly xattrBytes: number;
}

/** Zero padding, which only matters to what is compressed, and files of chunks. */
const knownFeatures = 0x1 | 0x4;
const compressedLayouts: readonly number[] = [1, 3];
const knownLayouts: readonly number[] = Object.values(dataLayouts);
const xattrHeaderBytes = 12;
const kinds: ReadonlyMap<number, InodeKind> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o020000, "char"],
  [0o060000, "block"],
  [0o010000, "fifo"],
  [0o140000, "socket"],
]);

export async function openErofs(source: ByteSource): Promise<Erofs> {
  const block = await source.read(superblockOffset, superblockBytes);
  if (block.length < superblockBytes || block.readUInt32LE(0) !== erofsMagic) {
    throw erofsInvalid("it is no EROFS file system");
  }
  const blockBits = block.readUInt8(12);
  if (blockBits < 9 || blockBits > 16) throw erofsInvalid(`its blocks have 2^${blockBits} bytes`);
  const features = block.readUInt32LE(80);
  if ((features & ~knownFeatures) !== 0 || block.readUInt8(90) !== 0) {
    throw notRead(`it uses the features 0x${features.toString(16)}`);
  }
  const blockBytes = 2 ** blockBits;
  return {
    source,
    blockBytes,
    inodesStart: block.readUInt32LE(40) * blockBytes,
    xattrsStart: block.readUInt32LE(44) * blockBytes,
    time: { seconds: asNumber(block.readBigInt64LE(24)), nanoseconds: block.readUInt32LE(32) },
    root: block.readUInt16LE(14),
  };
}

export async function readInode(fs: Erofs, id: number): Promise<Inode> {
  const at = fs.inodesStart + id * slotBytes;
  // One read for either form; the short one may be the last thing in the file.
  const head = await exactly(fs, at, Math.max(32, Math.min(64, fs.source.size - at)));
  const format = head.readUInt16LE(0);
  const isExtended = (format & 1) === 1;
  const layout = (format >> 1) & 7;
  if (compressedLayouts.includes(layout)) throw notRead("it is compressed");
  if (format >> 4 !== 0 || !knownLayouts.includes(layout))
    throw erofsInvalid(`inode ${id} has an unknown form`);
  const kindAndMode = head.readUInt16LE(4);
  const kind = kinds.get(kindAndMode & 0o170000);
  if (kind === undefined) throw erofsInvalid(`inode ${id} is of no known kind`);
  if (isExtended && head.length < 64) throw erofsInvalid("it points behind its own end");
  const fields = isExtended ? readExtended(head) : readCompact(head, fs.time);
  const xattrCount = head.readUInt16LE(2);
  return {
    id,
    kind,
    mode: kindAndMode & 0o7777,
    layout,
    union: head.readUInt32LE(16),
    xattrsAt: at + (isExtended ? 64 : 32),
    xattrBytes: xattrCount === 0 ? 0 : xattrHeaderBytes + (xattrCount - 1) * 4,
    ...fields,
  };
}

type Fields = Pick<Inode, "uid" | "gid" | "links" | "size" | "mtime">;

function readExtended(inode: Buffer): Fields {
  return {
    size: asNumber(inode.readBigUInt64LE(8)),
    uid: inode.readUInt32LE(24),
    gid: inode.readUInt32LE(28),
    mtime: { seconds: asNumber(inode.readBigInt64LE(32)), nanoseconds: inode.readUInt32LE(40) % 1e9 },
    links: inode.readUInt32LE(44),
  };
}

function readCompact(inode: Buffer, mtime: Time): Fields {
  return {
    links: inode.readUInt16LE(6),
    size: inode.readUInt32LE(8),
    uid: inode.readUInt16LE(24),
    gid: inode.readUInt16LE(26),
    mtime,
  };
}

/** As new_decode_dev() in linux/kdev_t.h. */
export const deviceOf = ({ union }: Inode): { readonly major: number; readonly minor: number } => ({
  major: (union >>> 8) & 0xfff,
  minor: (union & 0xff) | ((union >>> 12) & 0xfff00),
});

export async function exactly({ source }: Erofs, position: number, length: number): Promise<Buffer> {
  const bytes = position + length > source.size ? undefined : await source.read(position, length);
  if (bytes?.length !== length) throw erofsInvalid("it points behind its own end");
  return bytes;
}

export function asNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw erofsInvalid("a number in it is out of all bounds");
  }
  return Number(value);
}

export function erofsInvalid(reason: string): UniError {
  return new UniError("image_invalid", `read an EROFS file system: ${reason}`, {
    hint: "It is damaged, or no EROFS; make it again.",
  });
}

function notRead(reason: string): UniError {
  return new UniError("image_invalid", `read an EROFS file system: ${reason}, which is not supported`, {
    hint: "Make it with mkfs.erofs without -z, and without extra devices.",
  });
}
