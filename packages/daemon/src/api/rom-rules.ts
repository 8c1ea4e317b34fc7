/** What a request says of ROMs, beyond its shape. The guest's agent refuses the same mount points. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { InlineFile, RomPart } from "@uni/contract/resources/instance-parts";
import { readImage } from "./image-rules.ts";

/** In one form: image a string where nothing is said of its pull, paths relative and without dots. */
export function readRoms(parts: readonly RomPart[]): RomPart[] {
  const names = new Set<string>();
  return parts.map((part) => {
    if (names.has(part.name)) throw invalid(part, "is named twice");
    names.add(part.name);
    if ((part.image === undefined) === (part.files === undefined)) {
      throw new UniError("exclusive", `ROM '${part.name}' needs one of 'image' and 'files'`);
    }
    if (part.at !== undefined) refuseMountPoint(part, part.at);
    if (part.image !== undefined) return { ...part, image: readImage(part.image) };
    return { ...part, files: readFiles(part, part.files ?? []) };
  });
}

const invalid = ({ name }: RomPart, what: string) => new UniError("invalid_value", `ROM '${name}' ${what}`);

function refuseMountPoint(part: RomPart, at: string): void {
  const names = at.split("/").filter((name) => name !== "");
  if (!at.startsWith("/") || names.length === 0 || names.some((name) => name === "." || name === "..")) {
    throw invalid(part, `cannot be mounted at '${at}': it is no absolute path below /`);
  }
  if (names[0] === "uk") throw invalid(part, `cannot be mounted at '${at}': /uk is the agent's`);
}

function readFiles(part: RomPart, files: readonly InlineFile[]): InlineFile[] {
  const paths = new Set<string>();
  let bytes = 0;
  const read = files.map((file) => {
    const path = readPath(part, file.path);
    if (paths.has(path)) throw invalid(part, `has the file '${path}' twice`);
    paths.add(path);
    bytes += sizeOf(part, file);
    return { ...file, path };
  });
  for (const path of paths) {
    const above = path.split("/").slice(0, -1);
    const file = above.map((_, index) => above.slice(0, index + 1).join("/")).find((each) => paths.has(each));
    if (file !== undefined) throw invalid(part, `has '${file}' as a file and as a directory`);
  }
  if (bytes > limits.romBytes) {
    throw new UniError(
      "too_many",
      `ROM '${part.name}' has ${bytes} bytes, over the limit of ${limits.romBytes}`,
      {
        hint: "Make an image of them, and give that as the ROM's.",
      },
    );
  }
  return read;
}

/** The longest name that a file may have on Linux, in bytes. */
const longestName = 255;

function readPath(part: RomPart, path: string): string {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  const isBad = (name: string) => name === ".." || Buffer.byteLength(name) > longestName;
  if (names.length === 0 || path.endsWith("/") || names.some(isBad)) {
    throw invalid(part, `cannot hold the file '${path}': it is no path inside it`);
  }
  return names.join("/");
}

function sizeOf(part: RomPart, { path, encoding, data }: InlineFile): number {
  if (encoding !== "base64") return Buffer.byteLength(data);
  const bytes = Buffer.from(data, "base64");
  if (bytes.toString("base64") !== data) {
    throw invalid(part, `has the file '${path}', whose data is not base64`);
  }
  return bytes.length;
}
