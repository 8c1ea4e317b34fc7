import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder that holds bin/, build/ and native/: found upwards from this file, which may be a bundle. */
export function installRoot(): string {
  let directory = import.meta.dirname;
  while (!existsSync(join(directory, "native", "kernel", "lean.config"))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error(`no installation of Uni around ${import.meta.dirname}`);
    directory = parent;
  }
  return directory;
}
