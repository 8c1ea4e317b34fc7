/**
 * Which boot snapshots are kept: what machines and sleepers stand on, whatever it takes; of the others those that were used
 * last, within a bound. One that was used just now may be about to be stood upon, by a daemon that has not said so yet.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "../../host/files.ts";
import { hasLeases } from "./boot-leases.ts";

/** One that no start used for so long belongs to a kernel, an agent or a shape of the past. */
const unusedMs = 14 * 24 * 3_600_000;
/** Longer than any start takes from choosing its boot snapshot to its lease. */
const justNowMs = 60_000;

export interface BootCacheLimits {
  readonly now: number;
  /** Of all together; 0: none but what is in use. */
  readonly maxBytes: number;
}

/** The marker's time of change says when a start used a snapshot last. Returns the bytes that are free again. */
export async function trimBootCache(root: string, { now, maxBytes }: BootCacheLimits): Promise<number> {
  const all = cachedIn(root).sort((a, b) => a.usedAt - b.usedAt);
  let bytes = all.reduce((sum, one) => sum + one.bytes, 0);
  let freed = 0;
  for (const one of all) {
    const isOver = bytes > maxBytes || now - one.usedAt > unusedMs;
    if (!isOver || now - one.usedAt < justNowMs || hasLeases(one.directory)) continue;
    await removeTree(one.directory);
    bytes -= one.bytes;
    freed += one.bytes;
  }
  return freed;
}

interface Cached {
  readonly directory: string;
  readonly usedAt: number;
  readonly bytes: number;
}

/** Those that are complete; what is being made has no marker. Another daemon may remove one meanwhile. */
function cachedIn(root: string): Cached[] {
  return namesIn(root).flatMap((name) => {
    const directory = join(root, name);
    const usedAt = statSync(join(directory, "meta.json"), { throwIfNoEntry: false })?.mtimeMs;
    return usedAt === undefined ? [] : [{ directory, usedAt, bytes: bytesOf(directory) }];
  });
}

const bytesOf = (directory: string): number =>
  namesIn(directory)
    .map((name) => (statSync(join(directory, name), { throwIfNoEntry: false })?.blocks ?? 0) * 512)
    .reduce((sum, bytes) => sum + bytes, 0);

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
