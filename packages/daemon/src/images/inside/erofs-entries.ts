import type { ByteSource } from "../byte-source.ts";
import type { ImageLimits } from "../limits.ts";
import { overLimit } from "../limits.ts";
import type { TarEntry } from "../tar-entry.ts";
import { extentsOf, targetOf, xattrsOf } from "./erofs-content.ts";
import { deviceOf, type Erofs, type Inode, openErofs, readInode } from "./erofs-read.ts";
import { walkErofs } from "./walk.ts";

/**
 * An EROFS file's content as entries of an archive, whose extents point into that file: what `Merge.add` takes, with the file
 * as the layer. Sockets are left out, as every archiver does.
 */
export async function* erofsEntries(
  source: ByteSource,
  limits: ImageLimits,
  signal: AbortSignal,
): AsyncGenerator<TarEntry> {
  const fs = await openErofs(source);
  yield* entriesBelow(fs, await readInode(fs, fs.root), { limits, signal });
}

export async function* entriesBelow(
  fs: Erofs,
  top: Inode,
  how: { readonly limits: ImageLimits; readonly signal: AbortSignal },
): AsyncGenerator<TarEntry> {
  const firstNames = new Map<number, string>();
  let bytes = 0;
  for await (const { path, inode } of walkErofs(fs, top, how)) {
    if (inode.kind === "socket") continue;
    const linked = inode.kind === "directory" ? undefined : firstNames.get(inode.id);
    if (linked === undefined && inode.kind !== "directory" && inode.links > 1) firstNames.set(inode.id, path);
    const isFile = linked === undefined && inode.kind === "file";
    if (isFile && inode.size > how.limits.fileBytes) {
      throw overLimit("read an image", "bytes a file", how.limits.fileBytes);
    }
    const extents = isFile ? await extentsOf(fs, inode) : [];
    // Many files may share the same blocks: what they come to together is bounded as a layer's tar would be.
    for (const { length } of extents) bytes += length;
    if (bytes > how.limits.bytes) throw overLimit("read an image", "bytes an image", how.limits.bytes);
    yield {
      name: path,
      type: linked === undefined ? inode.kind : "hardlink",
      mode: inode.mode,
      uid: inode.uid,
      gid: inode.gid,
      mtime: inode.mtime,
      linkName: linked ?? (inode.kind === "symlink" ? await targetOf(fs, inode) : ""),
      device: inode.kind === "char" || inode.kind === "block" ? deviceOf(inode) : { major: 0, minor: 0 },
      xattrs: await xattrsOf(fs, inode),
      size: isFile ? inode.size : 0,
      extents,
    };
  }
}
