import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import { UniError } from "@uni/contract/errors";

export interface Destination {
  /** Where the top entry lands. */
  readonly target: string;
  /** The top entry must be a directory, as its content goes into `target`, which is one. */
  readonly intoDirectory: boolean;
  /** `target` must not exist as a directory's name: the person wrote a file's name, or a name yet to be. */
  readonly existingFile: boolean;
}

/** Whether a path in a guest stands for a directory's content and not for the directory: `/etc/.` and `/`. */
export const meansContent = (path: string): boolean => /(^|\/)\.$/.test(path) || /^\/+$/.test(path);

/** Docker's rules for a local destination: an existing directory takes the source in under its own name. */
export async function planDestination(sourcePath: string, destination: string): Promise<Destination> {
  const info = await stat(destination).catch(() => undefined);
  if (info?.isDirectory()) {
    const real = await realpath(destination);
    if (meansContent(sourcePath)) return { target: real, intoDirectory: true, existingFile: false };
    const name = posix.basename(posix.normalize(sourcePath));
    if (name === "" || name === "." || name === "..") {
      throw new UniError("invalid_value", `copying '${sourcePath}': it has no name of its own`);
    }
    return { target: join(real, name), intoDirectory: false, existingFile: false };
  }
  if (info !== undefined) {
    return { target: await realpath(destination), intoDirectory: false, existingFile: true };
  }
  const parent = await realpath(dirname(destination)).catch((cause) => {
    throw new UniError(
      "not_found",
      `copying to ${destination}: there is no directory ${dirname(destination)}`,
      {
        cause,
      },
    );
  });
  return { target: join(parent, basename(destination)), intoDirectory: false, existingFile: false };
}
