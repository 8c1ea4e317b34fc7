/**
 * How files travel (native/guest/src/file-record.h has the same): records of kind u8, length u32, body. What a guest
 * sends is hostile: names are checked, lengths bounded, sizes kept to what was promised.
 */
import type { FileEntry } from "./port.ts";
import { ProtocolError } from "./wire.ts";

export const recordKinds = { entry: 1, data: 2, hole: 3, done: 4, failed: 5 } as const;
export const recordHead = 5;
export const maxRecord = 64 << 10;
const maxPath = 4095;
const fixedBytes = 41;

const entryTypes = ["file", "directory", "symlink", "hardlink", "fifo", "char", "block"] as const;

export function encodeRecord(kind: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(recordHead + body.length);
  bytes.writeUInt8(kind);
  bytes.writeUInt32LE(body.length, 1);
  bytes.set(body, recordHead);
  return bytes;
}

export function encodeEntry(entry: FileEntry): Buffer {
  const path = Buffer.from(entry.path);
  const target = Buffer.from(entry.target ?? "");
  if (path.length > maxPath || target.length > maxPath)
    throw new RangeError(`${entry.path}: path is too long`);
  const body = Buffer.alloc(fixedBytes + path.length + target.length);
  body.writeUInt8(entryTypes.indexOf(entry.type) + 1);
  body.writeUInt32LE(entry.mode & 0o7777, 1);
  body.writeUInt32LE(entry.uid, 5);
  body.writeUInt32LE(entry.gid, 9);
  body.writeBigUInt64LE(BigInt(entry.type === "file" ? entry.size : 0), 13);
  body.writeBigInt64LE(BigInt(Math.trunc(entry.mtimeMs)), 21);
  body.writeUInt32LE(entry.device?.major ?? 0, 29);
  body.writeUInt32LE(entry.device?.minor ?? 0, 33);
  body.writeUInt16LE(path.length, 37);
  path.copy(body, 39);
  body.writeUInt16LE(target.length, 39 + path.length);
  target.copy(body, fixedBytes + path.length);
  return encodeRecord(recordKinds.entry, body);
}

export function decodeEntry(body: Buffer): FileEntry {
  if (body.length < fixedBytes) throw new ProtocolError("a file entry is cut short");
  const type = entryTypes[body.readUInt8() - 1];
  const pathLength = body.readUInt16LE(37);
  if (type === undefined || pathLength > maxPath || body.length < fixedBytes + pathLength) {
    throw new ProtocolError("malformed file entry");
  }
  const path = body.toString("utf8", 39, 39 + pathLength);
  const targetLength = body.readUInt16LE(39 + pathLength);
  if (targetLength > maxPath || body.length !== fixedBytes + pathLength + targetLength) {
    throw new ProtocolError("malformed file entry");
  }
  const target = body.toString("utf8", fixedBytes + pathLength);
  if (!isInnerPath(path) || (type === "hardlink" && !isInnerPath(target))) {
    throw new ProtocolError(`a file entry's path leaves its tree: ${JSON.stringify(path)}`);
  }
  const entry = {
    path,
    type,
    mode: body.readUInt32LE(1) & 0o7777,
    uid: body.readUInt32LE(5),
    gid: body.readUInt32LE(9),
    size: type === "file" ? safeNumber(body.readBigUInt64LE(13)) : 0,
    mtimeMs: safeNumber(body.readBigInt64LE(21)),
  };
  if (type === "symlink" || type === "hardlink") return { ...entry, target };
  if (type !== "char" && type !== "block") return entry;
  return { ...entry, device: { major: body.readUInt32LE(29), minor: body.readUInt32LE(33) } };
}

/** Length of a HOLE record's body. */
export function decodeHole(body: Buffer): number {
  if (body.length !== 8) throw new ProtocolError("malformed hole");
  return safeNumber(body.readBigUInt64LE());
}

/** "" or components that are neither empty nor "." nor "..", and no NUL. */
export function isInnerPath(path: string): boolean {
  if (path === "") return true;
  return (
    !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}

function safeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw new ProtocolError("a file entry's number is out of range");
  }
  return Number(value);
}
