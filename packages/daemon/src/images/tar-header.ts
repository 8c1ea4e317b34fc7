/** One 512-byte tar header: ustar, GNU and old V7 (tar(5)). */
import { UniError } from "@uni/contract/errors";
import { showName } from "./tar-entry.ts";

export const tarBlock = 512;

export interface TarHeader {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly typeflag: string;
  readonly linkName: string;
  readonly major: number;
  readonly minor: number;
  readonly block: Buffer;
}

/** Undefined for a block of zeroes, which marks the end. */
export function parseTarHeader(block: Buffer): TarHeader | undefined {
  if (isZero(block)) return undefined;
  if (!checksumFits(block)) throw tarInvalid("a header's checksum does not match");
  const magic = latin1(block, 257, 6);
  const posix = magic === "ustar";
  const gnu = magic === "ustar ";
  const prefix = posix ? latin1(block, 345, 155) : "";
  const name = latin1(block, 0, 100);
  const devices = posix || gnu;
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: readNumber(block, 100, 8) & 0o7777,
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    size: readSize(block, 124, 12),
    mtime: readNumber(block, 136, 12),
    typeflag: String.fromCharCode(block[156] ?? 0),
    linkName: latin1(block, 157, 100),
    major: devices ? readNumber(block, 329, 8) : 0,
    minor: devices ? readNumber(block, 337, 8) : 0,
    block,
  };
}

export function tarInvalid(reason: string, name?: string): UniError {
  const where = name === undefined ? "read a tar archive" : `read "${showName(name)}" in a tar archive`;
  return new UniError("image_invalid", `${where}: ${reason}`, {
    hint: "The archive is damaged or not a tar archive; make or copy it again.",
  });
}

/** A number that is a size or an offset: not negative, and exact. */
export function readSize(block: Buffer, offset: number, length: number): number {
  const value = readNumber(block, offset, length);
  if (value < 0) throw tarInvalid("a size is negative");
  return value;
}

/** Octal text, or GNU's base-256 when the first bit is set. */
function readNumber(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) === 0) {
    const text = latin1(block, offset, length).trim();
    if (text === "") return 0;
    if (!/^[0-7]+$/.test(text)) throw tarInvalid("a number in a header is not octal");
    return Number.parseInt(text, 8);
  }
  const negative = (first & 0x40) !== 0;
  let value = BigInt(negative ? first | ~0xff : first & 0x7f);
  for (let index = offset + 1; index < offset + length; index++) {
    value = value * 256n + BigInt(block[index] ?? 0);
  }
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw tarInvalid("a number in a header is out of range");
  return number;
}

/** Old writers summed signed bytes. */
function checksumFits(block: Buffer): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < tarBlock; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const stored = Number.parseInt(latin1(block, 148, 8).trim(), 8);
  return stored === unsigned || stored === signed;
}

function isZero(block: Buffer): boolean {
  for (const byte of block) if (byte !== 0) return false;
  return true;
}

/** The bytes up to the first NUL. */
function latin1(block: Buffer, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end === -1 ? length : end);
}
