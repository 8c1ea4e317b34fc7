import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ensureDirectory, writeFileAtomic } from "../../host/files.ts";

/**
 * Path of the library that is preloaded into QEMU (native/vmm/ram-file.c, zygote.c), where the VMM's user may read it: Uni
 * itself may be installed below a directory of root's alone. Named by its content, so that daemons of two versions share a
 * cache.
 */
export async function publishPreload(cacheDirectory: string, nativeDirectory: string): Promise<string> {
  const bytes = await readFile(join(nativeDirectory, "preload.so"));
  const digest = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const path = join(cacheDirectory, `preload-${digest}.so`);
  if (existsSync(path)) return path;
  await ensureDirectory(cacheDirectory, 0o755);
  await writeFileAtomic(path, bytes, 0o444);
  return path;
}
