import { UniError } from "@uni/contract/errors";

/** XEN_ELFNOTE_PHYS32_ENTRY (xen/include/public/elfnote.h): where a PVH boot enters the kernel. */
const physicalEntryNote = 18;
const noteSegment = 4;

/** Throws unless the bytes are a 64-bit little-endian ELF with a PVH entry, which QEMU needs to boot it directly. */
export function requirePvhEntry(elf: Buffer): void {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) {
    throw new UniError("failed", "read the kernel: it is not a 64-bit ELF");
  }
  for (const segment of noteSegments(elf)) if (hasPhysicalEntry(segment)) return;
  throw new UniError("failed", "read the kernel: it has no PVH entry", {
    hint: "The kernel must be built with CONFIG_PVH=y.",
  });
}

/** A flat arm64 kernel: "ARM\x64" at 0x38 (Documentation/arch/arm64/booting.rst). */
export function requireArmImage(image: Buffer): void {
  if (image.length > 64 && image.readUInt32LE(0x38) === 0x644d5241) return;
  throw new UniError("failed", "read the kernel: it is not an arm64 Image");
}

function* noteSegments(elf: Buffer): Generator<Buffer> {
  const tableOffset = Number(elf.readBigUInt64LE(32));
  const entrySize = elf.readUInt16LE(54);
  const count = elf.readUInt16LE(56);
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * entrySize;
    if (entrySize < 56 || at + 56 > elf.length) return;
    if (elf.readUInt32LE(at) !== noteSegment) continue;
    const offset = Number(elf.readBigUInt64LE(at + 8));
    yield elf.subarray(offset, offset + Number(elf.readBigUInt64LE(at + 32)));
  }
}

function hasPhysicalEntry(notes: Buffer): boolean {
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const type = notes.readUInt32LE(at + 8);
    if (type === physicalEntryNote && notes.toString("latin1", at + 12, at + 16) === "Xen\0") return true;
    at += 12 + align(nameSize) + align(notes.readUInt32LE(at + 4));
  }
  return false;
}

const align = (size: number) => Math.ceil(size / 4) * 4;
