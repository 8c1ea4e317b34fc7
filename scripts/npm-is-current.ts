/**
 * Ends with 0 if node_modules holds what package-lock.json asks for. File times cannot tell: a checkout of another
 * commit and `npm install` both touch the lock file.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

type Packages = Record<string, { version?: string; optional?: boolean; link?: boolean }>;

const read = (path: string): Packages => JSON.parse(readFileSync(join(root, path), "utf8")).packages;

const wanted = read("package-lock.json");
const installed = read("node_modules/.package-lock.json");
const stale = Object.entries(wanted).filter(([path, entry]) => {
  if (!path.startsWith("node_modules/") || entry.link) return false;
  const found = installed[path];
  // Optional packages for other platforms are not installed.
  return found === undefined ? !entry.optional : found.version !== entry.version;
});
process.exitCode = stale.length === 0 ? 0 : 1;
