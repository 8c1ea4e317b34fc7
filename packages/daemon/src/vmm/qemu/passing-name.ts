/**
 * A name of a disk's file that is there until QEMU has opened it. When a capture makes a disk read-only, QEMU opens its file
 * anew by the name that it knows (blockdev-snapshot: bdrv_reopen_set_read_only in block.c), and that may be another file's by
 * then: it would read one disk by the map of another. Without a name it keeps the file that it has.
 */
import { linkSync, rmSync } from "node:fs";

export interface PassingName {
  readonly path: string;
  remove(): void;
}

export function passingName(file: string): PassingName {
  const path = `${file}.open`;
  const remove = () => rmSync(path, { force: true });
  // One that a crash left.
  remove();
  linkSync(file, path);
  return { path, remove };
}
