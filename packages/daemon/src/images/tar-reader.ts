/**
 * Reads a tar archive that can be read at any position: V7, ustar, PAX and GNU, sparse files included. Nothing in the
 * archive is trusted; every malformed byte ends in `image_invalid`, every bound in `image_unsafe`.
 */
import type { ByteSource } from "./byte-source.ts";
import { windowed } from "./byte-source.ts";
import { defaultLimits, type ImageLimits, overLimit } from "./limits.ts";
import { showName, type TarEntry, type TarEntryType } from "./tar-entry.ts";
import { parseTarHeader, type TarHeader, tarBlock, tarInvalid } from "./tar-header.ts";
import {
  mergePax,
  type PaxRecords,
  type PaxValues,
  parsePax,
  paxInteger,
  paxText,
  paxTime,
  paxXattrs,
} from "./tar-pax.ts";
import { readOldSparse, readPaxSparse, type SparseFile } from "./tar-sparse.ts";

const maxHeaderBytes = 1 << 20;
const maxPathBytes = 4096;
const maxId = 0xffff_fffe;

const types: Readonly<Record<string, TarEntryType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  D: "directory",
  "6": "fifo",
};

export async function* readTar(
  archive: ByteSource,
  limits: ImageLimits = defaultLimits,
): AsyncGenerator<TarEntry> {
  const source = windowed(archive);
  let position = 0;
  let global: PaxRecords = [];
  let local: PaxRecords = [];
  let longName: string | undefined;
  let longLink: string | undefined;
  let entries = 0;
  for (;;) {
    const block = await source.read(position, tarBlock);
    if (block.length === 0) return;
    if (block.length < tarBlock) throw tarInvalid("the archive ends inside a header");
    // The window is reused by the next read, and a sparse header is read after one.
    const header = parseTarHeader(Buffer.from(block));
    if (header === undefined) return;
    if (++entries > limits.entries * 4) throw overLimit("read a tar archive", "headers", limits.entries * 4);
    position += tarBlock;
    switch (header.typeflag) {
      case "x":
      case "X":
        local = parsePax(await readMeta(source, position, header));
        position += padded(header.size);
        continue;
      case "g":
        global = addGlobal(global, parsePax(await readMeta(source, position, header)));
        position += padded(header.size);
        continue;
      case "L":
        longName = untilNul(await readMeta(source, position, header));
        position += padded(header.size);
        continue;
      case "K":
        longLink = untilNul(await readMeta(source, position, header));
        position += padded(header.size);
        continue;
      case "V":
        position += padded(header.size);
        continue;
    }
    const pax = mergePax(global, local);
    const stored = paxInteger(pax, "size") ?? header.size;
    const name = paxText(pax, "GNU.sparse.name") ?? paxText(pax, "path") ?? longName ?? header.name;
    const type = entryType(header, name);
    const sparse = type === "file" ? await readSparse(source, header, pax, position, stored) : undefined;
    const hasData = type === "file" || header.typeflag === "D";
    const dataStart = sparse?.dataStart ?? position;
    // The old sparse map lies before the data and is not counted in the size; the 1.0 map lies in the data and is.
    const storedStart = header.typeflag === "S" ? dataStart : position;
    if (hasData && storedStart + stored > source.size) {
      throw tarInvalid("the archive ends inside the file", name);
    }
    const entry = makeEntry({ header, name, type, pax, sparse, stored, dataStart, longLink });
    if (entry.size > limits.fileBytes) {
      throw overLimit(`read "${showName(name)}" in a tar archive`, "bytes a file", limits.fileBytes);
    }
    yield entry;
    position = storedStart + (hasData ? padded(stored) : 0);
    local = [];
    longName = undefined;
    longLink = undefined;
  }
}

/** Bounded, because a global header stays for the rest of the archive. */
function addGlobal(global: PaxRecords, added: PaxRecords): PaxRecords {
  const records = [...global, ...added];
  const bytes = records.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (bytes > maxHeaderBytes)
    throw overLimit("read a tar archive", "bytes of global headers", maxHeaderBytes);
  return records;
}

function entryType(header: TarHeader, name: string): TarEntryType {
  const type = types[header.typeflag];
  if (type === undefined)
    throw tarInvalid(`its type ${JSON.stringify(header.typeflag)} is not supported`, name);
  // Before POSIX a directory was a file whose name ends in a slash.
  return type === "file" && header.typeflag !== "S" && name.endsWith("/") ? "directory" : type;
}

async function readSparse(
  source: ByteSource,
  header: TarHeader,
  pax: PaxValues,
  position: number,
  stored: number,
): Promise<SparseFile | undefined> {
  if (header.typeflag === "S") return readOldSparse(source, header, position);
  return readPaxSparse(source, pax, position, stored);
}

interface EntryParts {
  readonly header: TarHeader;
  readonly name: string;
  readonly type: TarEntryType;
  readonly pax: PaxValues;
  readonly sparse: SparseFile | undefined;
  readonly stored: number;
  readonly dataStart: number;
  readonly longLink: string | undefined;
}

function makeEntry(parts: EntryParts): TarEntry {
  const { header, name, type, pax, sparse, stored, dataStart } = parts;
  const linkName = paxText(pax, "linkpath") ?? parts.longLink ?? header.linkName;
  if (name.length > maxPathBytes || linkName.length > maxPathBytes) {
    throw overLimit("read a tar archive", "bytes a path", maxPathBytes);
  }
  const size = type === "file" ? (sparse?.size ?? stored) : 0;
  const whole = size > 0 ? [{ offset: 0, length: size, position: dataStart }] : [];
  const uid = paxInteger(pax, "uid") ?? header.uid;
  const gid = paxInteger(pax, "gid") ?? header.gid;
  if (uid < 0 || uid > maxId || gid < 0 || gid > maxId) throw tarInvalid("its owner is out of range", name);
  return {
    name,
    type,
    mode: header.mode,
    uid,
    gid,
    mtime: paxTime(pax, "mtime") ?? { seconds: header.mtime, nanoseconds: 0 },
    linkName,
    device: { major: header.major, minor: header.minor },
    xattrs: paxXattrs(pax),
    size,
    extents: type === "file" ? (sparse?.extents ?? whole) : [],
  };
}

async function readMeta(source: ByteSource, position: number, header: TarHeader): Promise<Buffer> {
  if (header.size > maxHeaderBytes) throw overLimit("read a tar archive", "bytes a header", maxHeaderBytes);
  const bytes = await source.read(position, header.size);
  if (bytes.length < header.size) throw tarInvalid("the archive ends inside a header");
  return bytes;
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end === -1 ? bytes.length : end);
}

const padded = (size: number): number => Math.ceil(size / tarBlock) * tarBlock;
