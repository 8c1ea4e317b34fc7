/**
 * Reads cpio archives in the "newc" format, as kernels take them (Documentation/driver-api/early-userspace/buffer-format.rst).
 * Nothing in them is trusted. Sockets are left out; an archive behind the first one is not looked at.
 */
import { UniError } from "@uni/contract/errors";
import { type ByteSource, windowed } from "../byte-source.ts";
import { type ImageLimits, overLimit } from "../limits.ts";
import { type Extent, showName, type TarEntry, type TarEntryType } from "../tar-entry.ts";

const headerBytes = 110;
const fieldBytes = 8;
const maxPathBytes = 4096;
const trailer = "TRAILER!!!";
const noXattrs: ReadonlyMap<string, Buffer> = new Map();

const kinds: ReadonlyMap<number, TarEntryType> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o020000, "char"],
  [0o060000, "block"],
  [0o010000, "fifo"],
]);
const socket = 0o140000;

interface Header {
  readonly inode: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: number;
  readonly size: number;
  readonly device: { readonly major: number; readonly minor: number };
  readonly nameBytes: number;
}

/** A file that has several names: the content stands with one of them, mostly the last. */
interface Linked {
  readonly first: number;
  extent: Extent | undefined;
}

/** All entries at once: which name has the content is known at the end only. */
export async function readCpio(archive: ByteSource, limits: ImageLimits): Promise<TarEntry[]> {
  const source = windowed(archive);
  const entries: TarEntry[] = [];
  const linked = new Map<string, Linked>();
  for (let at = 0; ; ) {
    const header = parseHeader(await source.read(at, headerBytes));
    const name = await readName(source, at + headerBytes, header.nameBytes);
    const dataAt = aligned(at + headerBytes + header.nameBytes);
    if (name === trailer) break;
    if (entries.length >= limits.entries) throw overLimit("read a cpio archive", "entries", limits.entries);
    if (dataAt + header.size > source.size) throw cpioInvalid("it ends inside a file", name);
    at = aligned(dataAt + header.size);
    if ((header.mode & 0o170000) === socket) continue;
    const type = kinds.get(header.mode & 0o170000);
    if (type === undefined) throw cpioInvalid("it is of no known kind", name);
    const target = type === "symlink" ? await readTarget(source, dataAt, header.size, name) : "";
    const extent = type === "file" && header.size > 0 ? extentOf(dataAt, header.size) : undefined;
    const other = type === "file" && header.links > 1 ? linked.get(header.inode) : undefined;
    if (type === "file" && header.links > 1) note(linked, header.inode, entries.length, extent);
    const first = other === undefined ? undefined : entries[other.first];
    entries.push(entryOf(header, { name, type, target, extent, first }));
  }
  for (const { first, extent } of linked.values()) {
    const entry = entries[first];
    if (entry === undefined || extent === undefined) continue;
    entries[first] = { ...entry, size: extent.length, extents: [extent] };
  }
  return entries;
}

function parseHeader(bytes: Buffer): Header {
  const text = bytes.toString("latin1");
  if (text.length < headerBytes) throw cpioInvalid("it ends without its last entry");
  if (!/^07070[12][0-9a-fA-F]{104}$/.test(text)) throw cpioInvalid("an entry has a broken header");
  const field = (index: number): number =>
    Number.parseInt(text.slice(6 + index * fieldBytes, 6 + (index + 1) * fieldBytes), 16);
  return {
    inode: `${field(7)}:${field(8)}:${field(0)}`,
    mode: field(1),
    uid: field(2),
    gid: field(3),
    links: field(4),
    mtime: field(5),
    size: field(6),
    device: { major: field(9), minor: field(10) },
    nameBytes: field(11),
  };
}

async function readName(source: ByteSource, at: number, length: number): Promise<string> {
  if (length > maxPathBytes) throw overLimit("read a cpio archive", "bytes a path", maxPathBytes);
  const text = (await source.read(at, length)).toString("latin1");
  if (text.length < length || text.indexOf("\0") !== length - 1) throw cpioInvalid("a name in it has no end");
  return text.slice(0, -1);
}

async function readTarget(source: ByteSource, at: number, length: number, name: string): Promise<string> {
  if (length >= maxPathBytes) throw overLimit("read a cpio archive", "bytes a target", maxPathBytes);
  const target = (await source.read(at, length)).toString("latin1");
  if (target.includes("\0")) throw cpioInvalid("its target contains a NUL byte", name);
  return target;
}

const extentOf = (position: number, length: number): Extent => ({ offset: 0, length, position });

function note(linked: Map<string, Linked>, inode: string, index: number, extent: Extent | undefined): void {
  const known = linked.get(inode);
  if (known === undefined) linked.set(inode, { first: index, extent });
  else known.extent ??= extent;
}

interface Parts {
  readonly name: string;
  readonly type: TarEntryType;
  readonly target: string;
  readonly extent: Extent | undefined;
  /** The first name of this file, if there was one before. */
  readonly first: TarEntry | undefined;
}

function entryOf(header: Header, { name, type, target, extent, first }: Parts): TarEntry {
  const { mode, uid, gid, mtime, device } = header;
  const isLink = first !== undefined;
  return {
    name,
    type: isLink ? "hardlink" : type,
    mode: mode & 0o7777,
    uid,
    gid,
    mtime: { seconds: mtime, nanoseconds: 0 },
    linkName: first?.name ?? target,
    device: type === "char" || type === "block" ? device : { major: 0, minor: 0 },
    xattrs: noXattrs,
    size: isLink ? 0 : (extent?.length ?? 0),
    extents: isLink || extent === undefined ? [] : [extent],
  };
}

const aligned = (position: number): number => Math.ceil(position / 4) * 4;

export function cpioInvalid(reason: string, name?: string): UniError {
  const where = name === undefined ? "" : ` "${showName(name)}"`;
  return new UniError("image_invalid", `read${where} in a cpio archive: ${reason}`, {
    hint: "Make it again in the newc format, for example with cpio -H newc.",
  });
}
