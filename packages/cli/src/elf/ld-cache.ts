/**
 * Where the dynamic loader of glibc last found which library: /etc/ld.so.cache in the format that ldconfig has written
 * since glibc 2.32 (elf/dl-cache.h), and before behind a table of an older format.
 */
const magic = "glibc-ld.so.cache1.1";
const oldMagic = "ld.so-1.7.0\0";
const headerBytes = 48;
const entryBytes = 24;
const oldEntryBytes = 12;
const maxEntries = 100_000;

/** Paths by name, in the loader's order. Those for processors with more than the least are left out: a guest may have less. */
export function parseLdCache(bytes: Uint8Array): ReadonlyMap<string, readonly string[]> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = startOf(buffer);
  const paths = new Map<string, string[]>();
  if (start === undefined) return paths;
  const count = Math.min(buffer.readUInt32LE(start + 20), maxEntries);
  for (let index = 0; index < count; index++) {
    const at = start + headerBytes + index * entryBytes;
    if (at + entryBytes > buffer.length) break;
    const hwcap = buffer.readBigUInt64LE(at + 16);
    const name = textAt(buffer, start + buffer.readUInt32LE(at + 4));
    const path = textAt(buffer, start + buffer.readUInt32LE(at + 8));
    if (hwcap !== 0n || name === "" || !path.startsWith("/")) continue;
    const earlier = paths.get(name);
    if (earlier === undefined) paths.set(name, [path]);
    else earlier.push(path);
  }
  return paths;
}

function startOf(buffer: Buffer): number | undefined {
  const isHere = (at: number): boolean =>
    at + headerBytes <= buffer.length && buffer.toString("latin1", at, at + magic.length) === magic;
  if (isHere(0)) return 0;
  if (buffer.length < 16 || buffer.toString("latin1", 0, oldMagic.length) !== oldMagic) return undefined;
  const after = 16 + buffer.readUInt32LE(12) * oldEntryBytes;
  const aligned = Math.ceil(after / 8) * 8;
  return isHere(aligned) ? aligned : undefined;
}

function textAt(buffer: Buffer, at: number): string {
  const end = buffer.indexOf(0, at);
  return end === -1 || end - at > 4096 ? "" : buffer.toString("utf8", at, end);
}
