/** IPv4 addresses and prefixes as unsigned 32-bit numbers. */
export interface Prefix {
  readonly base: number;
  readonly length: number;
}

/** Exactly four decimal bytes without leading zeros, else undefined. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

export const formatAddress = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");

/** `a.b.c.d/n`, or a bare address as a /32; host bits are cut off. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address, length, ...rest] = text.split("/");
  const base = parseAddress(address ?? "");
  if (base === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { base, length: 32 };
  if (!/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  return { base: Math.floor(base / size(Number(length))) * size(Number(length)), length: Number(length) };
}

export const formatPrefix = (prefix: Prefix): string => `${formatAddress(prefix.base)}/${prefix.length}`;

export const prefixSize = (prefix: Prefix): number => size(prefix.length);

export const contains = (prefix: Prefix, address: number): boolean =>
  address >= prefix.base && address < prefix.base + prefixSize(prefix);

export const overlaps = (a: Prefix, b: Prefix): boolean => contains(a, b.base) || contains(b, a.base);

const size = (length: number): number => 2 ** (32 - length);
