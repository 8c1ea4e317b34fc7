import type { ImageFile } from "@uni/contract/rpc";
import { printable } from "./escape.ts";

const letters = {
  file: "-",
  directory: "d",
  symlink: "l",
  char: "c",
  block: "b",
  fifo: "p",
  socket: "s",
} as const satisfies Record<ImageFile["kind"], string>;

/** Lines like those of `ls -l`. Owners are numbers: their names are the image's own affair. */
export function renderFiles(files: readonly ImageFile[]): string {
  const rows = files.map((file) => [
    `${file.links}`,
    `${file.uid}`,
    `${file.gid}`,
    file.major === undefined ? `${file.size_bytes}` : `${file.major}, ${file.minor}`,
  ]);
  const widths = [0, 1, 2, 3].map((column) =>
    rows.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0),
  );
  return files
    .map((file, index) => {
      const cells = widths.map((width, column) => (rows[index]?.[column] ?? "").padStart(width));
      const time = file.modified_at.replace("T", " ").replace(/:\d\d\.\d+Z$/, "");
      const arrow = file.target === undefined ? "" : ` -> ${printable(file.target)}`;
      return `${modeText(file)} ${cells.join(" ")} ${time} ${printable(file.path)}${arrow}\n`;
    })
    .join("");
}

/** As in "drwxr-sr-t". */
export function modeText({ kind, mode }: Pick<ImageFile, "kind" | "mode">): string {
  const triplet = (shift: number, special: number, on: string, alone: string): string => {
    const bits = (mode >> shift) & 7;
    const run = (bits & 1) === 1;
    const last = (mode & special) === 0 ? (run ? "x" : "-") : run ? on : alone;
    return `${(bits & 4) === 0 ? "-" : "r"}${(bits & 2) === 0 ? "-" : "w"}${last}`;
  };
  return (
    letters[kind] + triplet(6, 0o4000, "s", "S") + triplet(3, 0o2000, "s", "S") + triplet(0, 0o1000, "t", "T")
  );
}
