/**
 * Writes the tar archives that Uni makes: ustar, with a PAX header in front of what does not fit into one. The same members
 * give the same bytes.
 */
import type { TarEntryType } from "./tar-entry.ts";
import { tarBlock } from "./tar-header.ts";

export interface TarMember {
  /** A byte string; a directory's ends in a slash. */
  readonly name: string;
  readonly mode: number;
  readonly size: number;
  readonly content: AsyncIterable<Uint8Array> | readonly Uint8Array[];
  /** A file, or a directory by its name, unless given. */
  readonly type?: TarEntryType;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtimeSeconds?: number;
  /** A byte string. */
  readonly linkName?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}

const typeFlags = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
} as const satisfies Record<TarEntryType, string>;

const nameBytes = 100;
const largestIds = 0o7777777;
const largestNumbers = 0o77777777777;

export async function* writeTar(
  members: AsyncIterable<TarMember> | readonly TarMember[],
): AsyncGenerator<Uint8Array> {
  for await (const member of members) {
    yield encodeMember(member);
    yield* member.content;
    yield Buffer.alloc((tarBlock - (member.size % tarBlock)) % tarBlock);
  }
  yield Buffer.alloc(2 * tarBlock);
}

function encodeMember(member: TarMember): Buffer {
  const { name, size, uid = 0, gid = 0, mtimeSeconds = 0, linkName = "" } = member;
  const records = [
    name.length > nameBytes ? paxRecord("path", name) : "",
    linkName.length > nameBytes ? paxRecord("linkpath", linkName) : "",
    size > largestNumbers ? paxRecord("size", `${size}`) : "",
    uid > largestIds ? paxRecord("uid", `${uid}`) : "",
    gid > largestIds ? paxRecord("gid", `${gid}`) : "",
    mtimeSeconds < 0 || mtimeSeconds > largestNumbers ? paxRecord("mtime", `${mtimeSeconds}`) : "",
    ...[...(member.xattrs ?? [])].map(([key, value]) =>
      paxRecord(`SCHILY.xattr.${key}`, value.toString("latin1")),
    ),
  ].join("");
  const header = encodeHeader(member);
  if (records === "") return header;
  const body = Buffer.alloc(Math.ceil(records.length / tarBlock) * tarBlock);
  body.write(records, "latin1");
  const pax = encodeHeader({ name: "pax", mode: 0o644, size: records.length, content: [] }, "x");
  return Buffer.concat([pax, body, header]);
}

/** The length that a record begins with counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length++;
  return `${length}${rest}`;
}

function encodeHeader(member: TarMember, flag = flagOf(member)): Buffer {
  const { name, mode, size, uid = 0, gid = 0, mtimeSeconds = 0, linkName = "", device } = member;
  const block = Buffer.alloc(tarBlock);
  block.write(name.slice(0, nameBytes), 0, "latin1");
  writeOctal(block, mode, 100, 8);
  writeOctal(block, uid > largestIds ? 0 : uid, 108, 8);
  writeOctal(block, gid > largestIds ? 0 : gid, 116, 8);
  writeOctal(block, size > largestNumbers ? 0 : size, 124, 12);
  writeOctal(block, mtimeSeconds < 0 || mtimeSeconds > largestNumbers ? 0 : mtimeSeconds, 136, 12);
  block.write(flag, 156, "latin1");
  block.write(linkName.slice(0, nameBytes), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  if (device !== undefined) {
    writeOctal(block, device.major, 329, 8);
    writeOctal(block, device.minor, 337, 8);
  }
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

const flagOf = ({ type, name }: TarMember): string =>
  typeFlags[type ?? (name.endsWith("/") ? "directory" : "file")];

function writeOctal(block: Buffer, value: number, offset: number, length: number): void {
  const text = value.toString(8).padStart(length - 1, "0");
  if (text.length >= length) throw new RangeError(`${value} is too large for a tar header`);
  block.write(text, offset, "latin1");
}
