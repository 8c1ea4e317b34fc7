import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { UniError } from "@uni/contract/errors";
import { type Header, type Pack, pack } from "tar-stream";
import { systemReason } from "../system-reason.ts";

type Headers = Partial<Header> & Pick<Header, "name">;

/** A file or tree by the name it gets. Symbolic links at its top are followed. */
export interface NamedPath {
  readonly path: string;
  readonly name: string;
  readonly leaveOut?: LeaveOut | undefined;
}

/** Of the entry of this name, as it is in the tar: it, or it and all below. */
export type LeaveOut = (name: string) => "nothing" | "itself" | "all";

interface CommonOptions {
  /** All entries belong to root, whoever owns them here. */
  readonly asRoot?: boolean;
  /** Something a tar cannot hold (a socket), or that vanished. */
  readonly onSkip?: (path: string, reason: string) => void;
  readonly signal: AbortSignal;
}

export interface PackOptions extends CommonOptions {
  /** Name of the top entry in the tar; "." packs the content of a directory. */
  readonly top: string;
  /** Files and trees of other places. */
  readonly extra?: readonly NamedPath[];
  /** Copies what a symbolic link at the top leads to; links below stay links. */
  readonly followTop?: boolean;
  /** Not asked about the top, nor about files of other places. */
  readonly leaveOut?: LeaveOut;
}

export interface Packed {
  readonly tar: AsyncIterable<Uint8Array>;
  /** Resolves when the whole tar was read; `bytes` counts the content of files. */
  readonly done: Promise<{ readonly bytes: number; readonly entries: number }>;
}

interface Job extends CommonOptions {
  readonly tar: Pack;
  readonly linked: Map<string, string>;
  bytes: number;
  entries: number;
}

function headerOf(name: string, info: Stats, asRoot: boolean): Headers {
  return {
    name,
    mode: info.mode & 0o7777,
    uid: asRoot ? 0 : info.uid,
    gid: asRoot ? 0 : info.gid,
    mtime: info.mtime,
    size: 0,
  };
}

function addEntry(job: Job, header: Headers): Promise<void> {
  job.entries += 1;
  return new Promise((resolve, reject) => {
    const sink = job.tar.entry(header, (error) => (error ? reject(error) : resolve()));
    // The one kind of entry that waits for its content, also where there is none.
    if (header.type === "file") sink.end(null);
  });
}

async function addFile(job: Job, path: string, header: Headers, info: Stats): Promise<void> {
  if (info.size === 0) return addEntry(job, { ...header, type: "file" });
  job.entries += 1;
  const sink = job.tar.entry({
    ...header,
    type: "file",
    size: info.size,
  }) as unknown as NodeJS.WritableStream;
  // A file that grows meanwhile must not overrun the size that its header promised.
  await pipeline(createReadStream(path, { end: info.size - 1 }), sink, { signal: job.signal }).catch(
    (cause) => {
      job.signal.throwIfAborted();
      throw new UniError("failed", `packing ${path}: ${systemReason(cause)}`, {
        hint: "The file changed or could not be read; try again.",
        cause,
      });
    },
  );
  job.bytes += info.size;
}

/** Major and minor as Linux packs them into st_rdev (sys/sysmacros.h). */
function deviceNumbers(rdev: number): { devmajor: number; devminor: number } {
  return { devmajor: (rdev >> 8) & 0xfff, devminor: (rdev & 0xff) | ((rdev >> 12) & 0xfff00) };
}

async function addSpecial(job: Job, path: string, header: Headers, info: Stats): Promise<void> {
  if (info.isFIFO()) return addEntry(job, { ...header, type: "fifo" });
  if (info.isCharacterDevice()) {
    return addEntry(job, { ...header, type: "character-device", ...deviceNumbers(info.rdev) });
  }
  if (info.isBlockDevice()) {
    return addEntry(job, { ...header, type: "block-device", ...deviceNumbers(info.rdev) });
  }
  job.onSkip?.(path, "a tar cannot hold a socket");
}

interface NodeOptions {
  readonly follow?: boolean;
  /** Of a directory what is below alone; of anything else nothing. */
  readonly withoutItself?: boolean;
  readonly leaveOut?: LeaveOut | undefined;
}

async function addNode(
  job: Job,
  path: string,
  name: string,
  { follow = false, withoutItself = false, leaveOut }: NodeOptions,
): Promise<void> {
  job.signal.throwIfAborted();
  const info = await (follow ? stat(path) : lstat(path)).catch((cause) => {
    const reason = path.includes("\ufffd") ? "its name is not valid UTF-8" : systemReason(cause);
    throw new UniError(cause.code === "ENOENT" ? "not_found" : "failed", `packing ${path}: ${reason}`, {
      cause,
    });
  });
  const header = headerOf(name, info, job.asRoot === true);
  if (info.isDirectory()) {
    if (!withoutItself) await addEntry(job, { ...header, name: `${name}/`, type: "directory" });
    const children = await readdir(path);
    for (const child of children.sort()) {
      const below = name === "." ? child : `${name}/${child}`;
      const left = leaveOut?.(below) ?? "nothing";
      if (left === "all") continue;
      await addNode(job, join(path, child), below, { withoutItself: left === "itself", leaveOut });
    }
    return;
  }
  if (withoutItself) return;
  if (info.isSymbolicLink()) {
    return addEntry(job, { ...header, type: "symlink", linkname: await readlink(path) });
  }
  if (!info.isFile()) return addSpecial(job, path, header, info);
  const identity = `${info.dev}:${info.ino}`;
  const earlier = info.nlink > 1 ? job.linked.get(identity) : undefined;
  if (earlier !== undefined) return addEntry(job, { ...header, type: "link", linkname: earlier });
  job.linked.set(identity, name);
  await addFile(job, path, header, info);
}

/** A tar of one file or tree, in the order of names, symbolic links kept, made as fast as it is read. */
export const packTree = (
  path: string,
  { top, extra = [], followTop = false, leaveOut, ...options }: PackOptions,
): Packed =>
  packAll(options, async (job) => {
    await addNode(job, path, top, { follow: followTop, leaveOut });
    for (const other of extra) {
      await addNode(job, other.path, other.name, { follow: true, leaveOut: other.leaveOut });
    }
  });

/** A tar of files and trees of any places, in their order. */
export const packFiles = (files: readonly NamedPath[], options: CommonOptions): Packed =>
  packAll(options, async (job) => {
    for (const { path, name } of files) await addNode(job, path, name, { follow: true });
  });

function packAll(
  options: Omit<Job, "tar" | "linked" | "bytes" | "entries">,
  add: (job: Job) => Promise<void>,
): Packed {
  const tar = pack();
  tar.on("error", () => {});
  const job: Job = { ...options, tar, linked: new Map(), bytes: 0, entries: 0 };
  const addAll = async () => {
    await add(job);
    tar.finalize();
    return { bytes: job.bytes, entries: job.entries };
  };
  const done = addAll();
  // The reader of the tar is told of a failure; whoever forgets `done` must not crash the process.
  done.catch((error) => tar.destroy(error));
  return { tar: readTar(tar, done), done };
}

async function* readTar(tar: Pack, done: Promise<unknown>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* tar as unknown as AsyncIterable<Uint8Array>;
  } catch {
    // The stream's own error can be no more than that it was destroyed; `done` knows why.
  } finally {
    tar.destroy();
  }
  await done;
}

/** Name of the top entry for a path a person wrote: `dir/.` means the directory's content. */
export function topNameOf(path: string): string {
  if (/(^|\/)\.\/*$/.test(path) && path !== "." && path !== "./") return ".";
  return basename(resolve(path)) || ".";
}
