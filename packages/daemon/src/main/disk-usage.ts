/** Where what takes room on the disk lies. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { InstanceId } from "@uni/contract/ids";
import type { DiskUsage } from "@uni/contract/rpc";
import type { ImagesUsage } from "../images/port.ts";
import type { Directories } from "../operations/directories.ts";
import { diskUsage, type UsagePlace } from "../snapshots/disk-usage.ts";

export interface DiskUsageDependencies {
  readonly directories: Directories;
  readonly dataDirectory: string;
  readonly cacheDirectory: string;
  readonly imagesUsage: () => Promise<ImagesUsage>;
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
    ...(await imagePlaces(join(dataDirectory, "images"), await deps.imagesUsage())),
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

/** All that lies in the images' directory. */
async function imagePlaces(directory: string, { roots, blobs }: ImagesUsage): Promise<UsagePlace[]> {
  const below = (name: string): string => join(directory, name);
  const [downloads, uploads, builds] = await Promise.all([
    filesBelow(below("partial")),
    filesBelow(below("uploads")),
    list(below("tmp")),
  ]);
  return [
    { kind: "images", paths: [below("roots")], ...roots },
    { kind: "image_layers", paths: [below("blobs")], ...blobs },
    { kind: "downloads", paths: [below("partial")], count: downloads },
    { kind: "uploads", paths: [below("uploads")], count: uploads },
    { kind: "builds", paths: [below("tmp"), below("build")], count: builds.length },
  ];
}

async function filesBelow(directory: string): Promise<number> {
  const names = await list(directory);
  const counts = await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      const stats = await lstat(path).catch(() => undefined);
      return stats?.isDirectory() === true ? filesBelow(path) : 1;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
