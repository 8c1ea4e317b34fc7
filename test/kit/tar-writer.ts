/** Writes tar archives for tests, well-formed or not, down to single header fields. */

export interface TarMember {
  readonly name: string | Buffer;
  /** Typeflag; default "0", or "5" if the name ends in a slash. */
  readonly type?: string;
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly link?: string | Buffer;
  readonly device?: readonly [major: number, minor: number];
  /** Written as a PAX header before the member. */
  readonly pax?:
    | Readonly<Record<string, string | Uint8Array>>
    | readonly (readonly [string, string | Uint8Array])[];
  /** Written as GNU long name or long link members before it. */
  readonly gnuName?: string;
  readonly gnuLink?: string;
  /** Size field, where it is to differ from the content's. */
  readonly size?: number;
  /** Last word on the header block, before its checksum is set. */
  readonly patch?: (block: Buffer) => void;
}

export function makeTar(members: readonly TarMember[]): Buffer {
  return Buffer.concat([...members.flatMap(encodeMember), Buffer.alloc(1024)]);
}

export function encodePax(records: NonNullable<TarMember["pax"]>): Buffer {
  const pairs = Array.isArray(records) ? records : Object.entries(records);
  return Buffer.concat(pairs.map(([key, value]) => encodePaxRecord(key, Buffer.from(value))));
}

function encodeMember(member: TarMember): Buffer[] {
  const blocks: Buffer[] = [];
  if (member.gnuName !== undefined) blocks.push(...plain("L", "././@LongLink", `${member.gnuName}\0`));
  if (member.gnuLink !== undefined) blocks.push(...plain("K", "././@LongLink", `${member.gnuLink}\0`));
  if (member.pax !== undefined) blocks.push(...plain("x", "PaxHeaders/x", encodePax(member.pax)));
  const content = Buffer.from(member.content ?? "");
  blocks.push(
    encodeHeader(member, content.length),
    content,
    Buffer.alloc((512 - (content.length % 512)) % 512),
  );
  return blocks;
}

const plain = (type: string, name: string, content: string | Buffer): Buffer[] =>
  encodeMember({ name, type, content });

function encodeHeader(member: TarMember, length: number): Buffer {
  const block = Buffer.alloc(512);
  const name = Buffer.from(member.name as string);
  const type = member.type ?? (name.at(-1) === 0x2f ? "5" : "0");
  name.copy(block, 0, 0, 100);
  const mode = member.mode ?? (type === "5" ? 0o755 : 0o644);
  octal(block, mode, 100, 8);
  octal(block, member.uid ?? 0, 108, 8);
  octal(block, member.gid ?? 0, 116, 8);
  octal(block, member.size ?? length, 124, 12);
  octal(block, member.mtime ?? 0, 136, 12);
  block.write(type, 156, "latin1");
  Buffer.from((member.link ?? "") as string).copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  octal(block, member.device?.[0] ?? 0, 329, 8);
  octal(block, member.device?.[1] ?? 0, 337, 8);
  member.patch?.(block);
  setChecksum(block);
  return block;
}

/** Octal where it fits, else base-256. */
function octal(block: Buffer, value: number, offset: number, length: number): void {
  const text = value.toString(8);
  if (value >= 0 && text.length < length) {
    block.write(text.padStart(length - 1, "0"), offset, "latin1");
    return;
  }
  let rest = BigInt(value);
  for (let index = offset + length - 1; index >= offset; index--) {
    block[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[offset] = (block[offset] ?? 0) | 0x80;
}

function setChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

function encodePaxRecord(key: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}
