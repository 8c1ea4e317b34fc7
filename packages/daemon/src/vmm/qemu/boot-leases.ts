/**
 * What stands on a boot snapshot and keeps it from being removed: `<boot snapshot>/leases/<name>`, each the path of a
 * file that is there as long as the lease holds. Nothing has to be given back after a crash.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const leasesOf = (bootDirectory: string): string => join(bootDirectory, "leases");
const leasePath = (bootDirectory: string, holder: string): string =>
  join(leasesOf(bootDirectory), createHash("sha256").update(holder).digest("hex").slice(0, 32));

/** Throws if the boot snapshot is gone; it stays from then on. */
export function takeLease(bootDirectory: string, holder: string): void {
  const leases = leasesOf(bootDirectory);
  // Not recursive: a lease must not make a boot snapshot's directory.
  if (!existsSync(leases)) mkdirIfMissing(leases);
  writeFileSync(leasePath(bootDirectory, holder), holder, { mode: 0o600 });
}

export const dropLease = (bootDirectory: string, holder: string): void =>
  rmSync(leasePath(bootDirectory, holder), { force: true });

/** Removes the leases whose holder is gone, and says whether any is left. */
export function hasLeases(bootDirectory: string): boolean {
  let held = false;
  for (const path of leaseFiles(bootDirectory)) {
    if (existsSync(readFileSync(path, "utf8"))) held = true;
    else rmSync(path, { force: true });
  }
  return held;
}

function leaseFiles(bootDirectory: string): string[] {
  try {
    return readdirSync(leasesOf(bootDirectory)).map((name) => join(leasesOf(bootDirectory), name));
  } catch {
    return [];
  }
}

/** Another daemon may be faster. */
function mkdirIfMissing(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
