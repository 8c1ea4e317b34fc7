/**
 * Writes a "newc" cpio archive, as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format.rst).
 * The same entries give the same bytes: owner root, time zero, inodes counted.
 */
export type CpioEntry =
  | { readonly path: string; readonly directory: true; readonly mode: number }
  | { readonly path: string; readonly content: Uint8Array; readonly mode: number };

const directoryType = 0o040000;
const fileType = 0o100000;

export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  entries.forEach((entry, index) => {
    const isDirectory = "directory" in entry;
    const content = isDirectory ? new Uint8Array(0) : entry.content;
    const mode = entry.mode | (isDirectory ? directoryType : fileType);
    parts.push(header(entry.path, index + 1, mode, isDirectory ? 2 : 1, content.length), padded(content));
  });
  parts.push(header("TRAILER!!!", 0, 0, 1, 0));
  return Buffer.concat(parts);
}

function header(path: string, inode: number, mode: number, links: number, size: number): Buffer {
  if (path === "" || path.startsWith("/") || path.includes("\0"))
    throw new RangeError(`cpio: bad path ${path}`);
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name.length, 0];
  const text = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return padded(Buffer.concat([Buffer.from(text, "latin1"), name]));
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
