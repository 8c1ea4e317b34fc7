/** A tar archive as a set of files by path: the way OCI layouts and Docker archives are carried. */
import { buffer } from "node:stream/consumers";
import { UniError } from "@uni/contract/errors";
import { type ByteSource, chunksOf, partOf } from "./byte-source.ts";
import { type ImageLimits, overLimit } from "./limits.ts";
import { escapes, splitName } from "./resolve-path.ts";
import { type Extent, showName } from "./tar-entry.ts";
import { readTar } from "./tar-reader.ts";

export interface ArchiveFile {
  readonly size: number;
  chunks(): AsyncIterable<Uint8Array>;
}

export interface Archive {
  /** Follows links within the archive. */
  find(path: string): ArchiveFile | undefined;
  /** A small file, whole. */
  readDocument(path: string): Promise<Buffer | undefined>;
}

type Member = { readonly extents: readonly Extent[]; readonly size: number } | { readonly link: string };

const maxLinks = 8;

export async function openArchive(source: ByteSource, limits: ImageLimits): Promise<Archive> {
  const members = new Map<string, Member>();
  for await (const entry of readTar(source, limits)) {
    const path = splitName(entry.name).join("/");
    if (entry.type === "file") members.set(path, { extents: entry.extents, size: entry.size });
    // docker save names a layer that several images share by a link.
    else if (entry.type === "symlink") members.set(path, { link: linkPath(path, entry.linkName) });
    else if (entry.type === "hardlink") members.set(path, { link: splitName(entry.linkName).join("/") });
    if (members.size > limits.entries) throw overLimit("read an image archive", "entries", limits.entries);
  }
  const find = (path: string): ArchiveFile | undefined => {
    let member = members.get(path);
    for (let hop = 0; member !== undefined && "link" in member; hop++) {
      if (hop > maxLinks) throw new UniError("image_invalid", `read "${showName(path)}": too many links`);
      member = members.get(member.link);
    }
    return member === undefined ? undefined : fileOf(source, member, path);
  };
  return {
    find,
    async readDocument(path) {
      const file = find(path);
      if (file === undefined) return undefined;
      if (file.size > limits.documentBytes) {
        throw overLimit(`read "${showName(path)}"`, "bytes a document", limits.documentBytes);
      }
      return buffer(file.chunks());
    },
  };
}

function fileOf(
  source: ByteSource,
  { extents, size }: { readonly extents: readonly Extent[]; readonly size: number },
  path: string,
): ArchiveFile {
  const only = extents[0];
  if (size > 0 && (extents.length !== 1 || only?.offset !== 0 || only.length !== size)) {
    throw new UniError("image_invalid", `read "${showName(path)}": an image archive has no sparse files`);
  }
  const part = partOf(source, only?.position ?? 0, size);
  return { size, chunks: () => chunksOf(part) };
}

/** The target of a relative link, as a path from the archive's top. */
function linkPath(path: string, target: string): string {
  if (target.startsWith("/")) throw escapes(path, "its link is absolute");
  const parts = path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw escapes(path, "its link leaves the archive");
  }
  return parts.join("/");
}
