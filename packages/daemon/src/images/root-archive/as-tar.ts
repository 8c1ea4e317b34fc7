/** A root file system as it was uploaded, as the tar that a layer is. */
import { type ByteSource, chunksOf } from "../byte-source.ts";
import { erofsMagic, superblockOffset } from "../erofs-format.ts";
import { erofsEntries } from "../inside/erofs-entries.ts";
import type { ImageLimits } from "../limits.ts";
import type { TarEntry } from "../tar-entry.ts";
import { tarMembers } from "../tar-members.ts";
import { writeTar } from "../tar-writer.ts";
import { cpioInvalid, readCpio } from "./cpio-reader.ts";

export interface RootTar {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Holes of an archive's files are zeroes in the tar: so many it may become. */
  readonly maxBytes: number;
}

/** What is neither cpio nor EROFS is taken for a tar, whose reader says what is wrong with it. */
export async function rootAsTar(
  source: ByteSource,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<RootTar> {
  const format = await formatOf(source);
  if (format === "tar") return { bytes: chunksOf(source), maxBytes: limits.bytes };
  const entries =
    format === "cpio" ? each(await readCpio(source, limits)) : erofsEntries(source, limits, signal);
  return {
    bytes: writeTar(tarMembers(rooted(entries), source, signal)),
    maxBytes: Math.min(limits.bytes, Math.max(limits.ratioFreeBytes, source.size * limits.ratio)),
  };
}

async function formatOf(source: ByteSource): Promise<"cpio" | "erofs" | "tar"> {
  const start = await source.read(0, 6);
  const magic = start.toString("latin1");
  if (magic === "070701" || magic === "070702") return "cpio";
  if (magic === "070707" || start.subarray(0, 2).toString("hex") === "c771") {
    throw cpioInvalid("it is in an old format");
  }
  const superblock = await source.read(superblockOffset, 4);
  return superblock.length === 4 && superblock.readUInt32LE(0) === erofsMagic ? "erofs" : "tar";
}

async function* each(entries: readonly TarEntry[]): AsyncGenerator<TarEntry> {
  yield* entries;
}

/** The root has the name "." in a tar. */
async function* rooted(entries: AsyncIterable<TarEntry>): AsyncGenerator<TarEntry> {
  for await (const entry of entries) yield entry.name === "" ? { ...entry, name: "." } : entry;
}
