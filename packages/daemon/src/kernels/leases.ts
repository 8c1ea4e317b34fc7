/**
 * Which daemons use a bundle of the shared cache: a symbolic link per daemon below `kernels/.leases/<version>/` to its
 * data directory. Making a link is atomic, and one that leads nowhere is the lease of a daemon that was removed.
 */
import { createHash } from "node:crypto";
import { access, readlink, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ensureDirectory, removeTree } from "../host/files.ts";
import { kernelsDirectory, namesIn } from "./bundle.ts";

const leaseDirectory = (cache: string, version: string) => join(kernelsDirectory(cache), ".leases", version);
const leaseName = (dataDirectory: string) =>
  createHash("sha256").update(resolve(dataDirectory)).digest("hex").slice(0, 32);

export async function takeLease(cache: string, version: string, dataDirectory: string): Promise<void> {
  await ensureDirectory(leaseDirectory(cache, version), 0o755);
  try {
    await symlink(resolve(dataDirectory), join(leaseDirectory(cache, version), leaseName(dataDirectory)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  await removeStale(cache, version);
}

/** Data directories of the other daemons that use it. */
export async function otherLeases(cache: string, version: string, dataDirectory: string): Promise<string[]> {
  await removeStale(cache, version);
  const holders: string[] = [];
  for (const name of await namesIn(leaseDirectory(cache, version))) {
    if (name !== leaseName(dataDirectory))
      holders.push(await readlink(join(leaseDirectory(cache, version), name)));
  }
  return holders;
}

export const dropLeases = (cache: string, version: string): Promise<void> =>
  removeTree(leaseDirectory(cache, version));

async function removeStale(cache: string, version: string): Promise<void> {
  for (const name of await namesIn(leaseDirectory(cache, version))) {
    const lease = join(leaseDirectory(cache, version), name);
    const holder = await readlink(lease).catch(() => undefined);
    const lives =
      holder !== undefined &&
      (await access(holder).then(
        () => true,
        () => false,
      ));
    if (!lives) await removeTree(lease);
  }
}
