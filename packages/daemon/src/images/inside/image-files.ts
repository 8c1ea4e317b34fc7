/** Looks into an EROFS root without a machine and without mounting it: lists, reads, and packs what a path means. */
import { posix } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { ImageFile } from "@uni/contract/rpc";
import type { ByteSource } from "../byte-source.ts";
import { type ImageLimits, overLimit } from "../limits.ts";
import type { ImageFiles } from "../port.ts";
import { showName } from "../tar-entry.ts";
import { contentOf, tarMembers } from "../tar-members.ts";
import { type TarMember, writeTar } from "../tar-writer.ts";
import { extentsOf, targetOf } from "./erofs-content.ts";
import { entriesBelow } from "./erofs-entries.ts";
import { deviceOf, type Erofs, type Inode, openErofs } from "./erofs-read.ts";
import { resolveInside } from "./resolve.ts";
import { walkErofs } from "./walk.ts";

export async function openImageFiles(
  source: ByteSource,
  limits: ImageLimits,
): Promise<Omit<ImageFiles, typeof Symbol.asyncDispose>> {
  const fs = await openErofs(source);
  return {
    async *list(path, { recursive, signal }) {
      const top = await resolveInside(fs, bytesOf(path), true);
      if (top.kind !== "directory") return void (yield await entryOf(fs, posix.basename(bytesOf(path)), top));
      const walked = walkErofs(fs, top, { limits, signal, ...(recursive ? {} : { depth: 1 }) });
      for await (const { path: below, inode } of walked) {
        if (below !== "") yield await entryOf(fs, below, inode);
      }
    },
    async *read(path, signal) {
      const inode = await resolveInside(fs, bytesOf(path), true);
      if (inode.kind !== "file") {
        throw new UniError("invalid_value", `read "${path}": it is a ${inode.kind} and no file`, {
          hint: "uni image ls lists a directory, and uni image cp copies it.",
        });
      }
      if (inode.size > limits.fileBytes) throw overLimit(`read "${path}"`, "bytes a file", limits.fileBytes);
      yield* contentOf(fs.source, { size: inode.size, extents: await extentsOf(fs, inode) }, signal);
    },
    async *archive(path, { follow, signal }) {
      const top = await resolveInside(fs, bytesOf(path), follow);
      yield* writeTar(membersBelow(fs, top, { base: baseOf(bytesOf(path)), limits, signal }));
    },
  };
}

/** The first entry carries the path's last name; that of the root, and of what ends in "..", is ".". */
function baseOf(path: string): string {
  const name = posix.basename(posix.normalize(`/${path}`));
  return name === "" ? "." : name;
}

/** Paths come as text; names in the image are bytes. */
const bytesOf = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const textOf = (name: string): string => Buffer.from(name, "latin1").toString("utf8");

async function entryOf(fs: Erofs, path: string, inode: Inode): Promise<ImageFile> {
  return {
    path: textOf(path),
    kind: inode.kind,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    links: inode.links,
    size_bytes: inode.kind === "file" || inode.kind === "symlink" ? inode.size : 0,
    modified_at: timeText(inode.mtime.seconds),
    ...(inode.kind === "symlink" ? { target: textOf(await targetOf(fs, inode)) } : {}),
    ...(inode.kind === "char" || inode.kind === "block" ? deviceOf(inode) : {}),
  };
}

/** The last second that a Date can say is far beyond what four digits of a year can. */
const lastSecond = Date.UTC(9999, 11, 31) / 1000;
const timeText = (seconds: number): string =>
  new Date(Math.max(-lastSecond, Math.min(seconds, lastSecond)) * 1000).toISOString();

async function* membersBelow(
  fs: Erofs,
  top: Inode,
  {
    base,
    limits,
    signal,
  }: { readonly base: string; readonly limits: ImageLimits; readonly signal: AbortSignal },
): AsyncGenerator<TarMember> {
  if (top.kind === "socket") {
    throw new UniError("invalid_value", `copy "${showName(base)}": sockets cannot be copied`);
  }
  yield* tarMembers(entriesBelow(fs, top, { limits, signal }), fs.source, signal, (path) =>
    path === "" ? base : `${base}/${path}`,
  );
}
