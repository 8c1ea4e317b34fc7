/** The directories in which a dynamic loader looks for the libraries of one file, in its order (ld.so(8)). */
import { dirname } from "node:path";
import type { ElfFile } from "@uni/contract/elf";

/** A program or library that is loaded, and what asked for it. */
export interface LoadedObject {
  readonly path: string;
  readonly elf: ElfFile;
  readonly parent: LoadedObject | undefined;
}

export function searchPath(object: LoadedObject, libraryPath: readonly string[]): string[] {
  return [
    ...inheritedPaths(object),
    ...libraryPath,
    ...object.elf.runPaths.map((each) => expand(each, object)),
  ];
}

/** DT_RPATH of the file, of what asked for it, and so on; a file with a run path has none. */
function inheritedPaths(object: LoadedObject): string[] {
  // A run path of the file itself turns off those of all that asked for it.
  if (object.elf.runPaths.length > 0) return [];
  const paths: string[] = [];
  for (let each: LoadedObject | undefined = object; each !== undefined; each = each.parent) {
    const { runPaths, rpaths } = each.elf;
    const owner = each;
    if (runPaths.length === 0) paths.push(...rpaths.map((path) => expand(path, owner)));
  }
  return paths;
}

const platforms: Readonly<Record<string, string>> = { amd64: "x86_64", arm64: "aarch64" };

function expand(path: string, { path: own, elf }: LoadedObject): string {
  return path.replace(/\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)\b)/g, (_, braced, bare) => {
    switch (braced ?? bare) {
      case "ORIGIN":
        return dirname(own);
      case "LIB":
        return `lib/${tripletOf(elf)}`;
      default:
        return platforms[elf.machine] ?? elf.machine;
    }
  });
}

const tripletOf = ({ machine }: ElfFile): string => `${platforms[machine] ?? machine}-linux-gnu`;

/** Of a loader of glibc: what the distributions build into it. */
export function defaultDirectories(elf: ElfFile): string[] {
  const places = [`lib/${tripletOf(elf)}`, "lib64", "lib"];
  return places.flatMap((place) => [`/${place}`, `/usr/${place}`]);
}
