/** What a path in a Kraftfile leads to, where the file does not say it. */
import { closeSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { basename } from "node:path";
import type { Filesystem, SourceType } from "./kraftfile.ts";

/** A part of its name, between dots. */
export const isDockerfileName = (path: string): boolean =>
  basename(path)
    .split(".")
    .some((part) => part === "Dockerfile" || part === "Containerfile");

/** Checks as well that the type that is stated can be. */
export function sourceTypeOf(filesystem: Filesystem, path: string): SourceType {
  const { type, dockerfile, error } = filesystem;
  if (type === "oci") return type;
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) {
    throw error(
      `there is no ${path}`,
      "Paths count from the Kraftfile. An image is written as {source: {type: oci, path: NAME}}.",
      "not_found",
    );
  }
  const found =
    type ?? (dockerfile !== undefined || isDockerfileName(path) ? "dockerfile" : inferred(path, info));
  const fits = found === "dockerfile" || (found === "dir") === info.isDirectory();
  if (!fits)
    throw error(`${path} is ${info.isDirectory() ? "a directory" : "no directory"}, not of type ${found}`);
  if (found === "cpio" || found === "erofs") checkMagic(found, path, filesystem);
  return found;
}

function inferred(path: string, info: Stats): SourceType {
  return info.isDirectory() ? "dir" : (contentType(path) ?? "file");
}

/** A cpio or EROFS image that is packed by gzip is known to the daemon alone. */
function checkMagic(type: "cpio" | "erofs", path: string, { error }: Filesystem): void {
  const content = contentType(path);
  if (content !== type && content !== "tarball") throw error(`${path} is no ${type} image`);
}

const headBytes = 1028;

export function contentType(path: string): "cpio" | "erofs" | "tarball" | undefined {
  const head = Buffer.alloc(headBytes);
  const descriptor = openSync(path, "r");
  try {
    readSync(descriptor, head, 0, headBytes, 0);
  } finally {
    closeSync(descriptor);
  }
  if (/^07070[127]$/.test(head.toString("latin1", 0, 6))) return "cpio";
  if (head.readUInt32LE(1024) === 0xe0f5e1e2) return "erofs";
  const packed = head.readUInt16BE(0) === 0x1f8b || head.readUInt32LE(0) === 0xfd2fb528;
  return packed || head.toString("latin1", 257, 262) === "ustar" ? "tarball" : undefined;
}
