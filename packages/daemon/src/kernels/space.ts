import { statfs } from "node:fs/promises";
import { UniError } from "@uni/contract/errors";

export async function requireSpace(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const megabytes = (count: number) => Math.round(count / (1 << 20));
  throw new UniError(
    "no_space",
    `make a kernel in ${directory}: ${megabytes(free)} MiB are free and ${megabytes(bytes)} MiB are needed`,
    { hint: "Free some room, or move the cache with UNI_CACHE_DIR." },
  );
}
