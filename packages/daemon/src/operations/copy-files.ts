/** Files between a tar stream and a guest. The guest works on its own file system; nothing of it is mounted here. */

import { posix } from "node:path";
import { Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import * as tar from "tar-stream";
import type { FileEntry, GuestChannel } from "../guest/port.ts";

const types = {
  file: "file",
  directory: "directory",
  symlink: "symlink",
  hardlink: "link",
  fifo: "fifo",
  char: "character-device",
  block: "block-device",
} as const satisfies Record<FileEntry["type"], tar.Header["type"]>;

const entryTypes: Partial<Record<NonNullable<tar.Header["type"]>, FileEntry["type"]>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "directory",
  symlink: "symlink",
  link: "hardlink",
  fifo: "fifo",
  "character-device": "char",
  "block-device": "block",
};

/**
 * A tar of the file or tree at `path`; its top entry carries the path's last name. `onEnd` is called once, at any end: all was
 * read, something failed, or the reader went away, also while the guest keeps it waiting.
 */
export async function copyOut(channel: GuestChannel, path: string, onEnd: () => void): Promise<Readable> {
  const reader = await channel.readFiles(path);
  const pack = tar.pack();
  const base = posix.basename(posix.normalize(path)) || ".";
  const nameOf = (entry: string) => (entry === "" ? base : `${base}/${entry}`);
  let current: Readable | undefined;
  const run = async () => {
    for await (const { entry, content } of reader.entries()) {
      current = content;
      const sink = pack.entry(toHeader(entry, nameOf));
      // tar-stream's streams are not Node's own: they are fed through their iterators and writes.
      for await (const chunk of content) await writeTo(sink, chunk);
      sink.end(undefined);
    }
    pack.finalize();
  };
  const output = Readable.from(pack);
  const left = Promise.withResolvers<void>();
  output.once("close", () => {
    current?.destroy();
    left.resolve();
  });
  const ran = run().catch((error: Error) => pack.destroy(error));
  Promise.race([ran, left.promise]).finally(onEnd);
  return output;
}

function toHeader(entry: FileEntry, nameOf: (path: string) => string): Parameters<tar.Pack["entry"]>[0] {
  return {
    name: nameOf(entry.path),
    type: types[entry.type],
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.type === "file" ? entry.size : 0,
    mtime: new Date(entry.mtimeMs),
    linkname: entry.type === "hardlink" ? nameOf(entry.target ?? "") : entry.target,
    devmajor: entry.device?.major,
    devminor: entry.device?.minor,
  };
}

export async function copyIn(
  channel: GuestChannel,
  path: string,
  archive: Readable,
): Promise<{ readonly bytes: number; readonly entries: number }> {
  const writer = await channel.writeFiles(path);
  let bytes = 0;
  let entries = 0;
  try {
    const extract = tar.extract();
    const fed = feed(archive, extract);
    fed.catch((error: Error) => extract.destroy(error)); // So that the loop below ends too.
    for await (const item of extract) {
      const entry = toEntry(item.header);
      await writer.write(entry, entry.type === "file" ? Readable.from(item) : undefined);
      if (entry.type !== "file") item.resume();
      bytes += entry.type === "file" ? entry.size : 0;
      entries += 1;
    }
    await fed;
    await writer.finish();
    return { bytes, entries };
  } catch (error) {
    archive.destroy();
    await writer.abort().catch(() => {});
    throw error;
  }
}

async function feed(archive: Readable, extract: tar.Extract): Promise<void> {
  for await (const chunk of archive) await writeTo(extract, chunk);
  extract.end(undefined);
}

type TarSink = ReturnType<tar.Pack["entry"]> | tar.Extract;

function writeTo(sink: TarSink, chunk: Uint8Array): Promise<void> {
  const closed = () => new UniError("failed", "copy files: the stream was closed");
  // A stream that is being destroyed takes a write and never says that it has drained.
  if (sink.destroyed || ("destroying" in sink && sink.destroying === true)) return Promise.reject(closed());
  if (sink.write(chunk)) return Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onDrain = () => {
    sink.removeListener("close", onClose);
    resolve();
  };
  const onClose = () => {
    sink.removeListener("drain", onDrain);
    reject(closed());
  };
  sink.once("drain", onDrain);
  sink.once("close", onClose);
  return promise;
}

function toEntry(header: tar.Header): FileEntry {
  const type = entryTypes[header.type ?? "file"];
  if (type === undefined) {
    throw new UniError(
      "invalid_value",
      `copy '${header.name}': a tar entry of type ${header.type} cannot be copied`,
    );
  }
  return {
    path: relativeName(header.name),
    type,
    mode: (header.mode ?? 0o644) & 0o7777,
    uid: header.uid ?? 0,
    gid: header.gid ?? 0,
    size: header.size ?? 0,
    mtimeMs: header.mtime?.getTime() ?? 0,
    target: type === "hardlink" ? relativeName(header.linkname ?? "") : (header.linkname ?? undefined),
    device:
      type === "char" || type === "block"
        ? { major: header.devmajor ?? 0, minor: header.devminor ?? 0 }
        : undefined,
  };
}

function relativeName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new UniError("invalid_value", `copy '${name}': a name in the tar leads out of it`);
  }
  return parts.join("/");
}
