/**
 * Which daemons use a bundle of the shared cache: a file per daemon below `kernels/.leases/<version>/` that holds its data
 * directory. A lease whose data directory is gone counts for nothing.
 */
import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ensureDirectory, removeTree, writeFileAtomic } from "../host/files.ts";
import { kernelsDirectory, namesIn } from "./bundle.ts";

const leaseDirectory = (cache: string, version: string) => join(kernelsDirectory(cache), ".leases", version);
const leaseName = (dataDirectory: string) =>
  createHash("sha256").update(dataDirectory).digest("hex").slice(0, 32);

export async function takeLease(cache: string, version: string, dataDirectory: string): Promise<void> {
  await ensureDirectory(leaseDirectory(cache, version), 0o755);
  await writeFileAtomic(join(leaseDirectory(cache, version), leaseName(dataDirectory)), dataDirectory, 0o644);
}

/** Data directories of the other daemons that use it. */
export async function otherLeases(cache: string, version: string, dataDirectory: string): Promise<string[]> {
  const holders: string[] = [];
  for (const name of await namesIn(leaseDirectory(cache, version))) {
    if (name === leaseName(dataDirectory) || name.endsWith(".tmp")) continue;
    const holder = await readFile(join(leaseDirectory(cache, version), name), "utf8");
    const exists = await access(holder).then(
      () => true,
      () => false,
    );
    if (exists) holders.push(holder);
  }
  return holders;
}

export const dropLeases = (cache: string, version: string): Promise<void> =>
  removeTree(leaseDirectory(cache, version));
