/**
 * Which parts of the pool belong to which account. Blocks are numbered /22s; an account starts with one and gets another
 * when it is full. The numbers are stored by the caller: an address never changes hands between accounts.
 */
import type { AccountId } from "@uni/contract/ids";
import { contains, formatAddress, type Prefix, parseAddress, prefixSize } from "./addresses.ts";

export type AccountBlocks = ReadonlyMap<AccountId, readonly number[]>;

const blockSize = 1024;

export const blockPrefix = (pool: Prefix, block: number): Prefix => ({
  base: pool.base + block * blockSize,
  length: 22,
});

export const blockOf = (pool: Prefix, address: string): number =>
  Math.floor(((parseAddress(address) ?? 0) - pool.base) / blockSize);

/** The lowest block that nobody has; undefined when the pool is given away. */
export function nextBlock(pool: Prefix, blocks: AccountBlocks): number | undefined {
  const taken = new Set([...blocks.values()].flat());
  for (let block = 0; block < prefixSize(pool) / blockSize; block++) if (!taken.has(block)) return block;
  return undefined;
}

export const accountOfBlock = (blocks: AccountBlocks, block: number): AccountId | undefined =>
  [...blocks].find(([, own]) => own.includes(block))?.[0];

/**
 * The first free address after `last`, going round: one that was just given back is used again as late as possible.
 * Addresses that end in 0 or 255 are left out, as some programs take them for a network's name or broadcast.
 */
export function freeAddress(
  pool: Prefix,
  blocks: readonly number[],
  used: ReadonlySet<string>,
  last: string | undefined,
): string | undefined {
  const prefixes = blocks.map((block) => blockPrefix(pool, block));
  const total = prefixes.reduce((sum, prefix) => sum + prefixSize(prefix), 0);
  const start = last === undefined ? 0 : positionOf(prefixes, parseAddress(last) ?? 0) + 1;
  for (let step = 0; step < total; step++) {
    const address = addressAt(prefixes, (start + step) % total);
    const text = formatAddress(address);
    if (address % 256 !== 0 && address % 256 !== 255 && !used.has(text)) return text;
  }
  return undefined;
}

function positionOf(prefixes: readonly Prefix[], address: number): number {
  let before = 0;
  for (const prefix of prefixes) {
    if (contains(prefix, address)) return before + address - prefix.base;
    before += prefixSize(prefix);
  }
  return -1;
}

function addressAt(prefixes: readonly Prefix[], position: number): number {
  let rest = position;
  for (const prefix of prefixes) {
    if (rest < prefixSize(prefix)) return prefix.base + rest;
    rest -= prefixSize(prefix);
  }
  throw new RangeError("position beyond the blocks");
}
