/** The part of a qcow2 file's header that names its backing file (QEMU: docs/interop/qcow2.txt). */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { isAbsolute } from "node:path";
import { UniError } from "@uni/contract/errors";

const magic = 0x514649fb;
/** The format's own bound. */
const longestName = 1023;
const headerBytes = 72;
/** QEMU's bounds of a cluster, as powers of two. The name lies in the first one. */
const clusterBits = { least: 9, most: 21 };

/** Absolute path; undefined of a qcow2 without backing, and of what is no qcow2. Its user may have written anything into it. */
export function readBacking(path: string): string | undefined {
  // No link is followed and no pipe waited for.
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(file).isFile()) throw new UniError("vmm_failed", `read the disk ${path}: it is no file`);
    const place = findName(file);
    if (place === "no qcow2" || place?.at === 0) return undefined;
    const name = Buffer.alloc(place?.length ?? 0);
    const text = place && readSync(file, name, 0, name.length, place.at) === name.length ? `${name}` : "";
    if (isAbsolute(text) && !text.includes("\0")) return text;
    throw new UniError("vmm_failed", `read the disk ${path}: the name of its backing file is damaged`);
  } finally {
    closeSync(file);
  }
}

/** Undefined if no name can be where the header says. `at` is 0 if there is none. */
function findName(
  file: number,
): { at: number; length: number; clusterBytes: number } | "no qcow2" | undefined {
  const header = Buffer.alloc(headerBytes);
  if (readSync(file, header, 0, header.length, 0) < headerBytes) return "no qcow2";
  if (header.readUInt32BE(0) !== magic) return "no qcow2";
  const bits = header.readUInt32BE(20);
  if (bits < clusterBits.least || bits > clusterBits.most) return undefined;
  const clusterBytes = 2 ** bits;
  const at = header.readBigUInt64BE(8);
  const length = header.readUInt32BE(16);
  if (at === 0n) return { at: 0, length: 0, clusterBytes };
  const fits =
    at >= headerBytes && length >= 1 && length <= longestName && at + BigInt(length) <= clusterBytes;
  return fits ? { at: Number(at), length, clusterBytes } : undefined;
}

/**
 * Writes another name over the one that is there. For a file that we made: nothing may follow the name in its first
 * cluster, as in all that `qemu-img create` makes.
 */
export function writeBacking(path: string, backing: string): void {
  const name = Buffer.from(backing);
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const place = findName(file);
    const room = typeof place === "object" && place.at > 0 ? place.clusterBytes - place.at : 0;
    if (typeof place !== "object" || !isAbsolute(backing) || name.length > Math.min(room, longestName)) {
      throw new UniError("internal", `write the backing ${backing} into ${path}: it has no room for it`);
    }
    const length = Buffer.alloc(4);
    length.writeUInt32BE(name.length);
    writeSync(file, name, 0, name.length, place.at);
    writeSync(file, length, 0, length.length, 16);
  } finally {
    closeSync(file);
  }
}

/** What lies below the disk, from the top down; the last one is no qcow2. */
export function backingChain(path: string, mostLayers: number): string[] {
  const chain: string[] = [];
  for (let below = readBacking(path); below !== undefined; below = readBacking(below)) {
    chain.push(below);
    if (chain.length <= mostLayers) continue;
    throw new UniError("vmm_failed", `read the disk ${path}: it stands on more than ${mostLayers} layers`);
  }
  return chain;
}
