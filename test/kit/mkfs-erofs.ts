import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** What mkfs.erofs makes of a directory. It copies from files of its own in /tmp, which must be on the image's file system. */
export function mkfsErofs(tree: string, options: readonly string[] = []): Buffer {
  const directory = mkdtempSync("/tmp/uni-erofs-");
  try {
    const image = join(directory, "image");
    execFileSync("mkfs.erofs", ["--quiet", ...options, image, tree], { stdio: "pipe" });
    return readFileSync(image);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
