/**
 * Writes a tar that a guest made below one local path. The tar is hostile: entries may name `..`, symbolic links may
 * point anywhere, a file may follow a link of its own tar. So every parent is created or checked to be a real directory,
 * files replace what is there and never write through it, and symbolic links are made last. Set-id bits are dropped and
 * device nodes are not made: a copy must not arm the host.
 */

import { once } from "node:events";
import {
  chmod,
  chown,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { extract, type Header as Headers } from "tar-stream";
import type { Destination } from "./destination.ts";

export interface UnpackOptions {
  readonly destination: Destination;
  /** Keeps owners, as far as this user may. */
  readonly keepOwners: boolean;
  readonly onSkip: (name: string, reason: string) => void;
  readonly signal: AbortSignal;
}

type Entry = AsyncIterable<Uint8Array> & { readonly header: Headers; resume(): void };

interface Job extends UnpackOptions {
  readonly target: string;
  top: string | undefined;
  bytes: number;
  entries: number;
  readonly files: Set<string>;
  /** Directories known to be real ones. */
  readonly checked: Set<string>;
  readonly directories: { readonly path: string; readonly header: Headers }[];
  readonly symlinks: { readonly path: string; readonly header: Headers }[];
}

const refuse = (name: string, reason: string): UniError =>
  new UniError("failed", `unpacking '${name}': refused, ${reason}`, {
    hint: "What the instance sent does not stay inside the destination; nothing was written outside it.",
  });

function components(name: string): string[] {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refuse(name, "it leads upwards by '..'");
  if (name.includes("\0")) throw refuse(name, "it has a NUL in its name");
  return parts;
}

/** Path on the host for a name in the tar; the first entry says what the top is called, and all others are below it. */
function placeOf(job: Job, name: string): string {
  const parts = components(name);
  job.top ??= parts[0] ?? "";
  if (job.top === "") return join(job.target, ...parts);
  if (parts[0] !== job.top) throw refuse(name, `it is not below '${job.top}'`);
  return join(job.target, ...parts.slice(1));
}

async function ensureDirectory(job: Job, path: string, name: string): Promise<void> {
  if (job.checked.has(path)) return;
  if (path !== job.target) await ensureDirectory(job, dirname(path), name);
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) await mkdir(path, { mode: 0o700 });
  else if (info.isSymbolicLink()) throw refuse(name, `${path} is a symbolic link`);
  else if (!info.isDirectory()) throw refuse(name, `${path} is not a directory`);
  job.checked.add(path);
}

/** Makes room for something that is no directory. */
async function clear(job: Job, path: string, name: string): Promise<void> {
  if (path !== job.target) await ensureDirectory(job, dirname(path), name);
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return;
  if (info.isDirectory()) throw refuse(name, `${path} is a directory and would be replaced by a file`);
  await rm(path);
}

const ownerOf = (header: Headers): [number, number] => [header.uid ?? 0, header.gid ?? 0];
const timeOf = (header: Headers): Date => header.mtime ?? new Date(0);
const modeOf = (header: Headers, fallback: number): number => (header.mode ?? fallback) & 0o777;

async function writeFile(job: Job, path: string, header: Headers, content: Entry): Promise<void> {
  await clear(job, path, header.name);
  const file = await open(path, "wx", 0o600);
  try {
    for await (const chunk of content) await file.writeFile(chunk);
  } finally {
    await file.close();
  }
  if (job.keepOwners) await chown(path, ...ownerOf(header));
  await chmod(path, modeOf(header, 0o644));
  await utimes(path, timeOf(header), timeOf(header));
  job.files.add(path);
  job.bytes += header.size ?? 0;
}

async function writeLink(job: Job, path: string, header: Headers): Promise<void> {
  const source = placeOf(job, header.linkname ?? "");
  if (!job.files.has(source))
    throw refuse(header.name, `it links to '${header.linkname}', which is not in this copy`);
  if (source === path) throw refuse(header.name, "it links to itself");
  await clear(job, path, header.name);
  await link(source, path);
  job.files.add(path);
}

async function takeEntry(job: Job, entry: Entry): Promise<void> {
  const header = entry.header;
  const path = placeOf(job, header.name);
  job.entries += 1;
  if (path === job.target && job.entries === 1) checkTop(job, header);
  switch (header.type) {
    case "directory":
      await ensureDirectory(job, path, header.name);
      job.directories.push({ path, header });
      break;
    case "file":
    case "contiguous-file":
      return writeFile(job, path, header, entry);
    case "link":
      await writeLink(job, path, header);
      break;
    case "symlink":
      job.symlinks.push({ path, header });
      break;
    default:
      job.onSkip(header.name, `it is a ${header.type ?? "thing of an unknown kind"}`);
  }
  entry.resume();
}

function checkTop({ destination }: Job, header: Headers): void {
  if (header.type === "directory") {
    if (!destination.existingFile) return;
    throw new UniError(
      "failed",
      `copying the directory '${header.name}' to ${destination.target}: that is a file`,
    );
  }
  if (!destination.intoDirectory) return;
  throw new UniError("failed", `copying '${header.name}': it is not a directory`);
}

/** Links last, then modes and times of directories from the deepest up: a read-only one must be filled first. */
async function finish(job: Job): Promise<void> {
  for (const { path, header } of job.symlinks) {
    await clear(job, path, header.name);
    await symlink(header.linkname ?? "", path);
    if (job.keepOwners) await lchown(path, ...ownerOf(header));
    await lutimes(path, timeOf(header), timeOf(header));
  }
  for (const { path, header } of job.directories.reverse()) {
    if (path === job.target && job.destination.intoDirectory) continue;
    if (job.keepOwners) await chown(path, ...ownerOf(header));
    await chmod(path, modeOf(header, 0o755));
    await utimes(path, timeOf(header), timeOf(header));
  }
}

type Extract = ReturnType<typeof extract>;

async function drained(parser: Extract): Promise<void> {
  const over = new AbortController();
  const options = { signal: over.signal };
  try {
    await Promise.race([once(parser, "drain", options), once(parser, "close", options)]);
  } finally {
    // Takes the listener of the event that did not come away.
    over.abort();
  }
}

/** A source that fails takes the parser, and with it whoever reads an entry, along. */
async function feed(parser: Extract, tar: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of tar) {
      if (parser.destroyed) return;
      if (!parser.write(chunk)) await drained(parser);
    }
    parser.end(null);
  } catch (error) {
    parser.destroy(error as Error);
    throw error;
  }
}

export async function unpackTree(
  tar: AsyncIterable<Uint8Array>,
  options: UnpackOptions,
): Promise<{ readonly bytes: number; readonly entries: number }> {
  const job: Job = {
    ...options,
    target: options.destination.target,
    top: undefined,
    bytes: 0,
    entries: 0,
    files: new Set(),
    checked: new Set(),
    directories: [],
    symlinks: [],
  };
  const parser = extract();
  parser.on("error", () => {});
  const feeding = feed(parser, tar);
  // Awaited below in any case; until then its failure must not count as one nobody heard of.
  feeding.catch(() => {});
  try {
    for await (const entry of parser) {
      options.signal.throwIfAborted();
      await takeEntry(job, entry as unknown as Entry);
    }
  } catch (error) {
    // If the source failed, that is the reason, and what the parser says only its consequence.
    parser.destroy(error as Error);
    if (!(error instanceof UniError)) await feeding;
    throw error;
  }
  await feeding;
  await finish(job);
  return { bytes: job.bytes, entries: job.entries };
}
