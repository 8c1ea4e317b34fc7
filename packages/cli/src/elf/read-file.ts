import { open } from "node:fs/promises";
import { type ElfFile, readElf } from "@uni/contract/elf";
import { UniError } from "@uni/contract/errors";
import { systemReason } from "../system-reason.ts";

/** Undefined where the file is no ELF file. */
export async function readElfFile(path: string): Promise<ElfFile | undefined> {
  const file = await open(path, "r").catch((cause) => {
    throw new UniError("failed", `reading ${path}: ${systemReason(cause)}`, { cause });
  });
  try {
    return await readElf({
      async read(position, length) {
        const buffer = Buffer.alloc(Math.min(length, 1 << 20));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        return buffer.subarray(0, bytesRead);
      },
    });
  } finally {
    await file.close();
  }
}
