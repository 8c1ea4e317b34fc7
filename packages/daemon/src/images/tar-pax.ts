/** PAX extended headers (pax(1)): records of "LENGTH KEY=VALUE\n", values are bytes. */
import { tarInvalid } from "./tar-header.ts";

/** In order, since the sparse format 0.0 repeats its keys. */
export type PaxRecords = readonly (readonly [key: string, value: Buffer])[];

export interface PaxValues {
  /** The last value of each key; an empty one unsets it. */
  readonly values: ReadonlyMap<string, Buffer>;
  readonly records: PaxRecords;
}

export function parsePax(bytes: Buffer): PaxRecords {
  const records: (readonly [string, Buffer])[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const blank = bytes.indexOf(0x20, offset);
    if (blank === -1 || blank - offset > 10) {
      // Some writers pad with NULs.
      if (bytes.subarray(offset).every((byte) => byte === 0)) break;
      throw tarInvalid("a PAX record has no length");
    }
    const digits = bytes.toString("latin1", offset, blank);
    const end = offset + Number(digits);
    if (!/^[0-9]+$/.test(digits) || end > bytes.length || end <= blank + 1 || bytes[end - 1] !== 0x0a) {
      throw tarInvalid("a PAX record has a wrong length");
    }
    const equals = bytes.indexOf(0x3d, blank + 1);
    if (equals === -1 || equals >= end - 1) throw tarInvalid("a PAX record has no value");
    const key = bytes.toString("latin1", blank + 1, equals);
    records.push([key, Buffer.from(bytes.subarray(equals + 1, end - 1))]);
    offset = end;
  }
  return records;
}

/** Later records win, local ones over global ones. */
export function mergePax(global: PaxRecords, local: PaxRecords): PaxValues {
  const values = new Map<string, Buffer>();
  for (const [key, value] of [...global, ...local]) {
    if (value.length === 0 && !key.startsWith(xattrPrefix)) values.delete(key);
    else values.set(key, value);
  }
  return { values, records: local };
}

export function paxText(pax: PaxValues, key: string): string | undefined {
  const value = pax.values.get(key);
  if (value?.includes(0)) throw tarInvalid(`the PAX value of ${key} contains a NUL`);
  return value?.toString("latin1");
}

export function paxInteger(pax: PaxValues, key: string): number | undefined {
  const text = paxText(pax, key);
  return text === undefined ? undefined : parseDecimal(text, `the PAX value of ${key}`);
}

export function parseDecimal(text: string, what: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value)) throw tarInvalid(`${what} is not a number`);
  return value;
}

/** Decimal seconds with an optional fraction, possibly negative. */
export function paxTime(
  pax: PaxValues,
  key: string,
): { readonly seconds: number; readonly nanoseconds: number } | undefined {
  const text = paxText(pax, key);
  if (text === undefined) return undefined;
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw tarInvalid(`the PAX value of ${key} is not a time`);
  const whole = Number(match[2]);
  const fraction = Number((match[3] ?? "").padEnd(9, "0").slice(0, 9));
  if (match[1] === "") return { seconds: whole, nanoseconds: fraction };
  return fraction === 0
    ? { seconds: -whole, nanoseconds: 0 }
    : { seconds: -whole - 1, nanoseconds: 1_000_000_000 - fraction };
}

const xattrPrefix = "SCHILY.xattr.";

export function paxXattrs(pax: PaxValues): ReadonlyMap<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of pax.values) {
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), value);
  }
  return xattrs;
}
