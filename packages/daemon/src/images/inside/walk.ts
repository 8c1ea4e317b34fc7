import { type ImageLimits, overLimit } from "../limits.ts";
import { type Name, namesIn } from "./erofs-content.ts";
import { type Erofs, erofsInvalid, type Inode, readInode } from "./erofs-read.ts";

export interface Walked {
  /** A byte string, relative to where the walk began; "" there. */
  readonly path: string;
  readonly inode: Inode;
}

export interface WalkOptions {
  readonly limits: ImageLimits;
  readonly signal: AbortSignal;
  /** How far down; unbounded by default. */
  readonly depth?: number;
}

const maxDepth = 512;

/** Everything below an inode, itself first, parents before children, in the order of the directories. */
export async function* walkErofs(
  fs: Erofs,
  top: Inode,
  { limits, signal, depth = Number.POSITIVE_INFINITY }: WalkOptions,
): AsyncGenerator<Walked> {
  const seen = new Set<number>();
  const open: { readonly path: string; readonly names: AsyncGenerator<Name> }[] = [];
  let entries = 0;
  let next: Walked | undefined = { path: "", inode: top };
  while (next !== undefined) {
    signal.throwIfAborted();
    if (++entries > limits.entries) throw overLimit("list an image", "entries", limits.entries);
    yield next;
    if (next.inode.kind === "directory" && open.length < depth) {
      // Directories have one name: a second one would be a way round in circles.
      if (seen.has(next.inode.id)) throw erofsInvalid(`directory ${next.inode.id} has two names`);
      if (open.length >= maxDepth) throw overLimit("list an image", "levels", maxDepth);
      seen.add(next.inode.id);
      open.push({ path: next.path, names: namesIn(fs, next.inode) });
    }
    next = await takeNext(fs, open);
  }
}

async function takeNext(
  fs: Erofs,
  open: { readonly path: string; readonly names: AsyncGenerator<Name> }[],
): Promise<Walked | undefined> {
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const { done, value } = await last.names.next();
    if (done !== true) {
      const path = last.path === "" ? value.name : `${last.path}/${value.name}`;
      return { path, inode: await readInode(fs, value.id) };
    }
    open.pop();
  }
  return undefined;
}
