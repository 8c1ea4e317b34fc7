import type { ByteSource } from "./byte-source.ts";
import { readFileRange } from "./file-content.ts";
import type { TarEntry } from "./tar-entry.ts";
import type { TarMember } from "./tar-writer.ts";

const copyBytes = 1 << 20;

/** Entries whose contents lie in a source, for an archive that is written of them. Holes become zeroes. */
export async function* tarMembers(
  entries: AsyncIterable<TarEntry>,
  source: ByteSource,
  signal: AbortSignal,
  nameOf: (name: string) => string = (name) => name,
): AsyncGenerator<TarMember> {
  for await (const entry of entries) {
    const { type, mode, uid, gid, size, device, mtime, xattrs } = entry;
    const name = nameOf(entry.name);
    yield {
      name: type === "directory" && !name.endsWith("/") ? `${name}/` : name,
      linkName: type === "hardlink" ? nameOf(entry.linkName) : entry.linkName,
      mtimeSeconds: mtime.seconds,
      content: contentOf(source, entry, signal),
      ...{ type, mode, uid, gid, size, xattrs },
      ...(type === "char" || type === "block" ? { device } : {}),
    };
  }
}

export async function* contentOf(
  source: ByteSource,
  file: Pick<TarEntry, "size" | "extents">,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < file.size; offset += copyBytes) {
    signal.throwIfAborted();
    yield await readFileRange(source, file, offset, Math.min(copyBytes, file.size - offset));
  }
}
