import { renameSync, writeFileSync } from "node:fs";

/**
 * Writes aside and renames, without syncing and without giving up the thread: a reader sees the old text or the new one
 * after a crash of this process at any instant. For records that mean nothing after a crash of the host.
 */
export function writeRecord(path: string, text: string | Uint8Array): void {
  const aside = `${path}.${process.pid}.tmp`;
  writeFileSync(aside, text, { mode: 0o600 });
  renameSync(aside, path);
}
