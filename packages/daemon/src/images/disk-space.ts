import { lstat, readdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";

/** Bytes that may still be written to the file system of a path. */
export type FreeBytes = (path: string) => Promise<number>;

export const freeBytesOf: FreeBytes = async (path) => {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
};

/** Refuses before the first byte where it is already known that there is no room. */
export async function requireSpace(
  free: FreeBytes,
  path: string,
  needed: number,
  what: string,
): Promise<void> {
  const available = await free(path);
  if (available < needed) throw noSpace(what, needed, available);
}

export const spaceHint = "Free some space, for example with uni rmi of images that are no longer used.";

export function noSpace(
  what: string,
  needed: number,
  available: number | undefined,
  cause?: unknown,
): UniError {
  const there = available === undefined ? "" : `, ${showBytes(available)} are free`;
  return new UniError("no_space", `${what}: ${showBytes(needed)} are needed${there}`, {
    hint: spaceHint,
    cause,
  });
}

export const isNoSpace = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException | undefined)?.code ?? "");

export async function bytesOfTree(path: string): Promise<number> {
  const stat = await lstat(path);
  let bytes = stat.blocks * 512;
  if (stat.isDirectory()) {
    for (const name of await readdir(path)) bytes += await bytesOfTree(join(path, name));
  }
  return bytes;
}

function showBytes(bytes: number): string {
  return bytes < 2 ** 20 ? `${bytes} bytes` : `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
