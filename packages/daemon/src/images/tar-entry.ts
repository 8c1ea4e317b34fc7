/**
 * What the tar reader yields. Names are byte strings (latin1): tar names are bytes, not text, and this keeps every
 * byte through maps and back.
 */
export type TarEntryType = "file" | "directory" | "symlink" | "hardlink" | "char" | "block" | "fifo";

/** `length` bytes of the file, from `offset` on, stored at `position` in the archive. What no extent covers is a hole. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly position: number;
}

export interface TarEntry {
  readonly name: string;
  readonly type: TarEntryType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  readonly linkName: string;
  readonly device: { readonly major: number; readonly minor: number };
  readonly xattrs: ReadonlyMap<string, Buffer>;
  readonly size: number;
  readonly extents: readonly Extent[];
}

/** A byte string for messages. */
export function showName(name: string): string {
  const text = Buffer.from(name, "latin1").toString("utf8");
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text).slice(1, -1);
}
