/** Ethernet frames and what is in them, as bytes; nothing has to be right. */

export const bytesOf = (text: string): Buffer => Buffer.from(text.replaceAll(/[^0-9a-fA-F]/g, ""), "hex");

const addressBytes = (address: string): Buffer => Buffer.from(address.split(".").map(Number));

const short = (value: number): Buffer => Buffer.from([(value >> 8) & 255, value & 255]);

/** RFC 1071 */
function checksum(data: Buffer): Buffer {
  let sum = 0;
  for (let at = 0; at < data.length; at += 2) sum += ((data[at] ?? 0) << 8) + (data[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return short(~sum & 0xffff);
}

export interface Ethernet {
  readonly from: string;
  readonly to: string;
  /** Ether type, after any tags. */
  readonly type: number;
  /** Tags of IEEE 802.1Q, or others that look like it: their type and their content. */
  readonly tags?: readonly (readonly [type: number, content: number])[];
}

export const ethernet = ({ from, to, type, tags = [] }: Ethernet, payload: Buffer): Buffer =>
  Buffer.concat([
    bytesOf(to),
    bytesOf(from),
    ...tags.flatMap(([kind, content]) => [short(kind), short(content)]),
    short(type),
    payload,
  ]);

export interface Ipv4 {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly options?: Buffer;
  /** In units of eight bytes. */
  readonly offset?: number;
  readonly more?: boolean;
  readonly id?: number;
  readonly version?: number;
  readonly length?: number;
  readonly wrongSum?: boolean;
}

export function ipv4(header: Ipv4, payload: Buffer): Buffer {
  const options = header.options ?? Buffer.alloc(0);
  const words = 5 + options.length / 4;
  const head = Buffer.concat([
    Buffer.from([((header.version ?? 4) << 4) | words, 0]),
    short(header.length ?? words * 4 + payload.length),
    short(header.id ?? 0x756e),
    short((header.more === true ? 0x2000 : 0) | (header.offset ?? 0)),
    Buffer.from([64, header.protocol, 0, 0]),
    addressBytes(header.from),
    addressBytes(header.to),
    options,
  ]);
  if (header.wrongSum !== true) checksum(head).copy(head, 10);
  const body = Buffer.from(payload);
  if (header.protocol === 6 && body.length >= 20) {
    const pseudo = [addressBytes(header.from), addressBytes(header.to), short(6), short(body.length)];
    checksum(Buffer.concat([...pseudo, body])).copy(body, 16);
  }
  return Buffer.concat([head, body]);
}

/** Loose (131) or strict (137) source routing over these addresses (RFC 791). */
export const sourceRoute = (kind: 131 | 137, ...over: readonly string[]): Buffer =>
  Buffer.concat([Buffer.from([kind, 3 + 4 * over.length, 4]), ...over.map(addressBytes), Buffer.from([0])]);

/** Without a checksum, which UDP over IPv4 need not have. */
export const udp = (from: number, to: number, payload: Buffer): Buffer =>
  Buffer.concat([short(from), short(to), short(8 + payload.length), short(0), payload]);

/** `ipv4` makes its checksum. */
export const tcp = (from: number, to: number, flags: number, payload: Buffer): Buffer =>
  Buffer.concat([
    short(from),
    short(to),
    bytesOf("00000001 00000001"),
    Buffer.from([0x50, flags]),
    bytesOf("ffff 0000 0000"),
    payload,
  ]);

/** `rest` is the second word of the header. */
export function icmp(type: number, code: number, rest: Buffer, payload: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, code, 0, 0]), rest, payload]);
  checksum(message).copy(message, 2);
  return message;
}

export interface Arp {
  /** 1 asks, 2 answers; 3 asks in the way of RARP. */
  readonly operation: number;
  readonly senderMac: string;
  readonly sender: string;
  readonly targetMac: string;
  readonly target: string;
}

export const arp = ({ operation, senderMac, sender, targetMac, target }: Arp): Buffer =>
  Buffer.concat([
    bytesOf("0001 0800 06 04"),
    short(operation),
    ...[bytesOf(senderMac), addressBytes(sender), bytesOf(targetMac), addressBytes(target)],
  ]);

/** Addresses as 32 hexadecimal digits; the checksum of ICMPv6 and UDP is made here. */
export function ipv6(header: { from: string; to: string; next: number }, payload: Buffer): Buffer {
  const [from, to] = [bytesOf(header.from), bytesOf(header.to)];
  const whole = Buffer.from(payload);
  const sumAt = header.next === 58 ? 2 : 6;
  const pseudo = Buffer.concat([
    from,
    to,
    Buffer.from([0, 0]),
    short(whole.length),
    Buffer.from([0, 0, 0, header.next]),
    whole,
  ]);
  checksum(pseudo).copy(whole, sumAt);
  return Buffer.concat([
    bytesOf("60000000"),
    short(whole.length),
    Buffer.from([header.next, 255]),
    from,
    to,
    whole,
  ]);
}
