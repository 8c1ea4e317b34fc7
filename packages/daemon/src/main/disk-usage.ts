/** Where what takes room on the disk lies. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { InstanceId } from "@uni/contract/ids";
import type { DiskUsage } from "@uni/contract/rpc";
import type { Directories } from "../operations/directories.ts";
import { diskUsage } from "../snapshots/disk-usage.ts";

export interface DiskUsageDependencies {
  readonly directories: Directories;
  readonly dataDirectory: string;
  readonly cacheDirectory: string;
  readonly countImages: () => Promise<number>;
}

export async function nodeDiskUsage(deps: DiskUsageDependencies): Promise<DiskUsage> {
  const { directories, dataDirectory, cacheDirectory } = deps;
  const ids = (await list(directories.instances)) as InstanceId[];
  const boot = join(cacheDirectory, "boot");
  const [layers, snapshots, roms, booted] = await Promise.all([
    list(directories.layers),
    list(directories.snapshots),
    list(directories.roms),
    list(boot),
  ]);
  const sleepers = await Promise.all(ids.map((id) => list(directories.sleep(id))));
  return diskUsage([
    { kind: "images", paths: [join(dataDirectory, "images")], count: await deps.countImages() },
    // Beside each there is a lock.
    { kind: "boot", paths: [boot], count: booted.filter((name) => !name.includes(".")).length },
    { kind: "layers", paths: [directories.layers], count: layers.length },
    { kind: "snapshots", paths: [directories.snapshots], count: snapshots.length },
    { kind: "roms", paths: [directories.roms], count: roms.length },
    {
      kind: "instances",
      paths: [join(dataDirectory, "disks"), ...ids.map(directories.disk)],
      count: ids.length,
    },
    {
      kind: "sleepers",
      paths: ids.map(directories.sleep),
      count: sleepers.filter((files) => files.length > 0).length,
    },
    { kind: "logs", paths: ids.map(directories.log), count: ids.length },
  ]);
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
