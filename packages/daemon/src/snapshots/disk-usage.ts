/** What takes room on the disk. Files with several names, such as a disk that was just made a layer, count once: where they come first. */
import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DiskUsageKind } from "@uni/contract/enums";
import type { DiskUsage } from "@uni/contract/rpc";

export interface UsagePlace {
  readonly kind: DiskUsageKind;
  /** Files and trees of this kind. */
  readonly paths: readonly string[];
  readonly count: number;
  readonly sharedBytes?: number;
  readonly reclaimableBytes?: number;
}

export async function diskUsage(places: readonly UsagePlace[]): Promise<DiskUsage> {
  const seen = new Set<string>();
  const kinds: DiskUsage["kinds"][number][] = [];
  for (const { kind, paths, count, sharedBytes, reclaimableBytes } of places) {
    let bytes = 0;
    for (const path of paths) bytes += await bytesOf(path, seen);
    kinds.push({
      ...{ kind, count, bytes },
      ...(sharedBytes === undefined ? {} : { shared_bytes: sharedBytes }),
      ...(reclaimableBytes === undefined ? {} : { reclaimable_bytes: reclaimableBytes }),
    });
  }
  return { kinds, total_bytes: kinds.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Allocated, as du(1) counts; what goes away meanwhile is nothing. */
async function bytesOf(path: string, seen: Set<string>): Promise<number> {
  const stats = await present(lstat(path));
  if (stats === undefined) return 0;
  if (stats.isDirectory()) {
    const names = (await present(readdir(path))) ?? [];
    let bytes = stats.blocks * 512;
    for (const name of names) bytes += await bytesOf(join(path, name), seen);
    return bytes;
  }
  const identity = identityOf(stats);
  if (seen.has(identity)) return 0;
  seen.add(identity);
  return stats.blocks * 512;
}

const identityOf = ({ dev, ino }: Stats): string => `${dev}:${ino}`;

async function present<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
