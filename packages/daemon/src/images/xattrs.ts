/** Which extended attributes an image may bring, and how EROFS numbers their prefixes (erofs_fs.h). */
import { overLimit } from "./limits.ts";
import { showName, type TarEntry } from "./tar-entry.ts";

const prefixes: readonly (readonly [prefix: string, index: number, exact: boolean])[] = [
  ["user.", 1, false],
  ["system.posix_acl_access", 2, true],
  ["system.posix_acl_default", 3, true],
  ["trusted.", 4, false],
  ["security.", 6, false],
];

/** The overlay in the guest would take these as its own. */
const refusedPrefix = "trusted.overlay.";
const maxBytes = 1 << 16;

export function keepXattrs(entry: TarEntry): ReadonlyMap<string, Buffer> {
  if (entry.xattrs.size === 0) return entry.xattrs;
  const kept = new Map<string, Buffer>();
  let bytes = 0;
  for (const [name, value] of entry.xattrs) {
    const split = splitXattr(name);
    if (split === undefined || name.startsWith(refusedPrefix)) continue;
    bytes += name.length + value.length;
    if (bytes > maxBytes || split.suffix.length > 255) {
      throw overLimit(`place "${showName(entry.name)}"`, "bytes of extended attributes", maxBytes);
    }
    kept.set(name, value);
  }
  return kept;
}

export function splitXattr(name: string): { readonly index: number; readonly suffix: string } | undefined {
  for (const [prefix, index, exact] of prefixes) {
    if (exact ? name === prefix : name.startsWith(prefix) && name.length > prefix.length) {
      return { index, suffix: name.slice(prefix.length) };
    }
  }
  return undefined;
}

/** What stands before an attribute's stored name; undefined for a number that images do not have. */
export const nameOfPrefix = (number: number): string | undefined =>
  prefixes.find(([, index]) => index === number)?.[0];
