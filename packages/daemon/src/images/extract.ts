/**
 * Writes a tree into an empty private directory. The paths are those of our own tree: directories are real ones that
 * this made, so no symbolic link of the archive is ever followed. Owners and devices are left out.
 */
import { constants } from "node:fs";
import { chmod, link, mkdir, open, symlink, utimes } from "node:fs/promises";
import type { ByteSource } from "./byte-source.ts";
import { windowed } from "./byte-source.ts";
import { readFileRange } from "./file-content.ts";
import { writeAll } from "./sweep-writer.ts";
import type { DirectoryNode, FileNode, Node } from "./tree.ts";

const copyBytes = 1 << 20;

export async function extractTree(
  root: DirectoryNode,
  layer: ByteSource,
  options: { readonly directory: string; readonly signal: AbortSignal },
): Promise<void> {
  const source = windowed(layer);
  const written = new Map<Node, Buffer>();
  const directories: { readonly node: DirectoryNode; readonly path: Buffer }[] = [];
  const pending = [{ node: root, path: Buffer.from(options.directory) }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    directories.push(next);
    for (const [name, { node }] of next.node.children) {
      options.signal.throwIfAborted();
      const path = Buffer.concat([next.path, Buffer.from(`/${name}`, "latin1")]);
      const earlier = written.get(node);
      if (earlier !== undefined) await link(earlier, path);
      else if (node.kind === "directory") {
        await mkdir(path, { mode: 0o700 });
        pending.push({ node, path });
      } else if (node.kind === "symlink") await symlink(Buffer.from(node.target, "latin1"), path);
      else if (node.kind === "file") await writeFile(node, source, path);
      else continue;
      written.set(node, path);
    }
  }
  // Last and from the deepest up: a directory's mode may forbid writing into it, and writing changes its time.
  for (const { node, path } of directories.reverse()) {
    if (node === root) continue;
    await chmod(path, node.mode);
    await utimes(path, node.mtime.seconds, node.mtime.seconds);
  }
}

async function writeFile(node: FileNode, source: ByteSource, path: Buffer): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o600);
  try {
    for (const extent of node.extents) {
      for (let done = 0; done < extent.length; done += copyBytes) {
        const length = Math.min(copyBytes, extent.length - done);
        const piece = await readFileRange(source, node, extent.offset + done, length);
        await writeAll(file, piece, extent.offset + done);
      }
    }
    await file.truncate(node.size);
    await file.chmod(node.mode);
    await file.utimes(node.mtime.seconds, node.mtime.seconds);
  } finally {
    await file.close();
  }
}
