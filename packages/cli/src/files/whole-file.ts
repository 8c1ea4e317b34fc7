import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { systemReason } from "../system-reason.ts";

/** Writes a file that has its name only once it is whole: whatever fails leaves what was there before. */
export async function writeWhole(path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const aside = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString("hex")}`);
  const file = await open(aside, "wx", 0o666).catch((cause) => {
    throw notWritten(path, cause);
  });
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      await file.writeFile(chunk).catch((cause) => {
        throw notWritten(path, cause);
      });
      bytes += chunk.length;
    }
    await file.close();
    await rename(aside, path).catch((cause) => {
      throw notWritten(path, cause);
    });
    return bytes;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(aside, { force: true });
    throw error;
  }
}

function notWritten(path: string, cause: unknown): UniError {
  const isFull = ["ENOSPC", "EDQUOT"].includes((cause as NodeJS.ErrnoException).code ?? "");
  return new UniError(isFull ? "no_space" : "failed", `writing ${path}: ${systemReason(cause)}`, { cause });
}
