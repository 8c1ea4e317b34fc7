import { UniError } from "@uni/contract/errors";
import { showName } from "../tar-entry.ts";
import { findName, targetOf } from "./erofs-content.ts";
import { type Erofs, type Inode, readInode } from "./erofs-read.ts";

const maxLinks = 40;
const maxPathBytes = 4096;

/**
 * What a path means to a program in the image: symbolic links count from the image's root and end in it, and ".." of the root
 * is the root. `followLast` says whether a link that the path itself names is followed.
 */
export async function resolveInside(fs: Erofs, path: string, followLast: boolean): Promise<Inode> {
  if (path.length > maxPathBytes) throw notThere(path, `it is longer than ${maxPathBytes} bytes`);
  const root = await readInode(fs, fs.root);
  const pending = path.split("/").reverse();
  const above: Inode[] = [];
  let current = root;
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (current.kind !== "directory") throw notThere(path, "something on the way is no directory");
    if (part === "" || part === ".") continue;
    if (part === "..") {
      current = above.pop() ?? root;
      continue;
    }
    const id = await findName(fs, current, part);
    if (id === undefined) throw notThere(path, "there is no such file in the image");
    const found = await readInode(fs, id);
    const isLast = pending.length === 0;
    if (found.kind !== "symlink" || (isLast && !followLast)) {
      above.push(current);
      current = found;
      continue;
    }
    if (++links > maxLinks) throw notThere(path, "too many symbolic links");
    const target = await targetOf(fs, found);
    if (target.startsWith("/")) {
      above.length = 0;
      current = root;
    }
    pending.push(...target.split("/").reverse());
    if (pending.length > maxPathBytes) throw notThere(path, "its symbolic links are too long");
  }
  return current;
}

function notThere(path: string, reason: string): UniError {
  return new UniError("not_found", `read "${showName(path)}": ${reason}`, {
    hint: "uni image ls IMAGE:/ -R lists what there is.",
  });
}
