/** `--rom name=NAME,image=REFERENCE,at=PATH`, or `dir=DIRECTORY` in place of the image: its files go along. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import { systemReason } from "../system-reason.ts";

export const collectRom = (text: string, before: readonly RomPart[] | undefined): readonly RomPart[] => [
  ...(before ?? []),
  parseRom(text),
];

const keys = ["name", "image", "dir", "at"];

function parseRom(text: string): RomPart {
  const members = new Map<string, string>();
  for (const part of text.split(",")) {
    const [key = ""] = part.split("=", 1);
    if (!keys.includes(key) || !part.includes("=") || members.has(key)) throw unclear(text);
    members.set(key, part.slice(key.length + 1));
  }
  const { name, image, dir, at } = Object.fromEntries(members);
  if (!name || (!image && !dir) || (image && dir)) throw unclear(text);
  return {
    name,
    ...(at === undefined ? {} : { at }),
    ...(dir === undefined ? { image } : { files: filesBelow(dir) }),
  };
}

const unclear = (text: string) =>
  new UniError("malformed", `reading --rom '${text}'`, {
    hint: "Say --rom name=NAME,image=REFERENCE or --rom name=NAME,dir=DIRECTORY, and ,at=PATH to have it mounted.",
  });

/** Files whose content, or links whose target, is a file. What is too much is refused before it is read. */
function filesBelow(directory: string): RomPart["files"] {
  const attempted = `read ${directory} for a ROM`;
  try {
    const paths = readdirSync(directory, { recursive: true, encoding: "utf8" });
    const files = paths.filter((path) => !statSync(join(directory, path)).isDirectory()).sort();
    const special = files.find((path) => !statSync(join(directory, path)).isFile());
    if (special !== undefined) throw new UniError("invalid_value", `${attempted}: ${special} is no file`);
    const bytes = files.reduce((sum, path) => sum + statSync(join(directory, path)).size, 0);
    if (files.length > limits.romFiles || bytes > limits.romBytes) {
      const most = `${limits.romFiles} files of ${limits.romBytes} bytes`;
      throw new UniError(
        "too_many",
        `${attempted}: ${files.length} files of ${bytes} bytes are over the limit of ${most}`,
        {
          hint: "Make an image of it with uni build, and say image= in place of dir=.",
        },
      );
    }
    return files.map((path) => ({
      path: path.split(sep).join("/"),
      encoding: "base64" as const,
      data: readFileSync(join(directory, path)).toString("base64"),
    }));
  } catch (cause) {
    if (cause instanceof UniError) throw cause;
    throw new UniError("malformed", `${attempted}: ${systemReason(cause)}`, { cause });
  }
}
