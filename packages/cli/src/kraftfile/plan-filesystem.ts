import { realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { contextOf, outsideName } from "../build/dockerfile.ts";
import type { PlannedBuild } from "../build/planned.ts";
import type { Filesystem } from "./kraftfile.ts";
import { sourceTypeOf } from "./source-type.ts";

type Planned = Pick<PlannedBuild, "params" | "upload" | "what">;

/** What has to be sent for a root file system or a ROM of a Kraftfile in this directory. */
export function planFilesystem(filesystem: Filesystem, directory: string): Planned {
  const { error, format } = filesystem;
  const path = filesystem.type === "oci" ? filesystem.path : placeOf(filesystem.path, directory, filesystem);
  const type = sourceTypeOf(filesystem, path);
  if ((type === "cpio" || type === "erofs") && format !== undefined && format !== type) {
    throw error(`it is a ready ${type} image, and the format that is asked for is ${format}`);
  }
  const root = { kind: "root" } as const;
  switch (type) {
    case "oci":
      return { params: { kind: "image", image: path }, upload: { kind: "nothing" }, what: "nothing" };
    case "dockerfile":
      return planContext(filesystem, path, directory);
    case "dir":
      return {
        params: root,
        upload: { kind: "tree", path, asRoot: true },
        what: "the root file system",
      };
    case "file":
      return {
        params: root,
        upload: { kind: "files", files: [{ path, name: basename(path) }] },
        what: "the file",
      };
    case "tarball":
    case "cpio":
    case "erofs":
      return { params: root, upload: { kind: "file", path }, what: `the ${type}` };
    default:
      return type satisfies never;
  }
}

/** A Dockerfile alone has the Kraftfile's directory as its context, or its own where that is elsewhere. */
function planContext(filesystem: Filesystem, path: string, directory: string): Planned {
  const isContext = statSync(path).isDirectory();
  const file = filesystem.dockerfile ?? (isContext ? join(path, "Dockerfile") : path);
  const dockerfile = placeOf(file, directory, filesystem);
  if (statSync(dockerfile, { throwIfNoEntry: false })?.isFile() !== true) {
    throw filesystem.error(`there is no Dockerfile at ${dockerfile}`, undefined, "not_found");
  }
  const context = isContext ? path : isBelow(dockerfile, directory) ? directory : dirname(dockerfile);
  return isBelow(dockerfile, context)
    ? contextOf(context, relative(context, dockerfile))
    : contextOf(context, outsideName, dockerfile);
}

/**
 * Counts from the Kraftfile. What is written there may lead anywhere, as on a command line; a symbolic link that leads out
 * of the directory without its being written is refused, for the file may be somebody else's.
 */
function placeOf(text: string, directory: string, { error }: Filesystem): string {
  const path = resolve(directory, text);
  if (!isBelow(path, directory) || statSync(path, { throwIfNoEntry: false }) === undefined) return path;
  const real = realpathSync(path);
  if (isBelow(real, realpathSync(directory))) return path;
  throw error(
    `${text} is a symbolic link out of the Kraftfile's directory`,
    `If that is meant, write ${real} in its place.`,
  );
}

function isBelow(path: string, directory: string): boolean {
  const inside = relative(resolve(directory), path);
  return inside !== ".." && !inside.startsWith("../") && !isAbsolute(inside);
}
