/**
 * What a dynamic program needs, found as the dynamic loader would find it: from the headers of the files alone. Nothing is
 * run, for a program that is looked at may be anybody's.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import type { ElfFile } from "@uni/contract/elf";
import { UniError } from "@uni/contract/errors";
import { parseLdCache } from "./ld-cache.ts";
import { readElfFile } from "./read-file.ts";
import { defaultDirectories, type LoadedObject, searchPath } from "./search-path.ts";

export interface Needed {
  /** As it is asked for: a name, seldom a path. */
  readonly name: string;
  /** Undefined where it is nowhere. */
  readonly path: string | undefined;
  /** File that asked first. */
  readonly neededBy: string;
}

export interface Resolution {
  readonly interpreter: Needed | undefined;
  readonly libraries: readonly Needed[];
}

const maxLibraries = 1000;
/** Names that musl's loader answers for itself (ldso/dynlink.c). */
const muslOwn = /^lib(?:c|pthread|rt|m|dl|util|xnet)\./;

export async function resolveLibraries(
  program: string,
  elf: ElfFile,
  env: NodeJS.ProcessEnv,
): Promise<Resolution> {
  const top: LoadedObject = { path: realpathSync(program), elf, parent: undefined };
  const interpreter = elf.interpreter === undefined ? undefined : asNeeded(elf.interpreter, program);
  const system = systemSearch(elf);
  const libraryPath = (env.LD_LIBRARY_PATH ?? "").split(/[:;]/).filter((each) => each !== "");
  const found = new Map<string, Needed>();
  const pending: LoadedObject[] = [top];
  for (let object = pending.shift(); object !== undefined; object = pending.shift()) {
    for (const name of object.elf.libraries) {
      // The C library asks for the loader, which is there.
      if (found.has(name) || name === basename(elf.interpreter ?? "")) continue;
      if (found.size >= maxLibraries) {
        throw new UniError("too_many", `reading ${program}: it needs more than ${maxLibraries} libraries`);
      }
      const candidates = name.includes("/")
        ? [name].filter(isAbsolute)
        : [...searchPath(object, libraryPath).map((each) => join(resolve(each), name)), ...system(name)];
      const loaded = await firstFitting(candidates, object);
      found.set(name, { name, path: loaded?.path, neededBy: object.path });
      if (loaded !== undefined) pending.push(loaded);
    }
  }
  return { interpreter, libraries: [...found.values()] };
}

const asNeeded = (path: string, neededBy: string): Needed => ({
  name: path,
  path: isFile(path) ? path : undefined,
  neededBy,
});

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** Where a loader looks in the end, wherever the file that asks lies. */
function systemSearch(elf: ElfFile): (name: string) => readonly string[] {
  const interpreter = elf.interpreter ?? "";
  const loader = /\/ld-musl-([^/]+)\.so\.1$/.exec(interpreter);
  if (loader === null) {
    const cache = readCache();
    const directories = defaultDirectories(elf);
    return (name) => [...(cache.get(name) ?? []), ...directories.map((each) => join(each, name))];
  }
  const directories = muslDirectories(loader[1] ?? "");
  return (name) => [
    ...directories.map((each) => join(each, name)),
    ...(muslOwn.test(name) && isFile(interpreter) ? [interpreter] : []),
  ];
}

function readCache(): ReadonlyMap<string, readonly string[]> {
  try {
    return parseLdCache(readFileSync("/etc/ld.so.cache"));
  } catch {
    return new Map();
  }
}

function muslDirectories(architecture: string): string[] {
  try {
    const text = readFileSync(`/etc/ld-musl-${architecture}.path`, "utf8");
    return text.split(/[:\n]/).filter((each) => each !== "");
  } catch {
    return ["/lib", "/usr/local/lib", "/usr/lib"];
  }
}

/** As the loader does, one for another machine is passed over. */
async function firstFitting(
  candidates: readonly string[],
  asking: LoadedObject,
): Promise<LoadedObject | undefined> {
  for (const path of candidates) {
    if (!isFile(path)) continue;
    const elf = await readElfFile(path).catch(() => undefined);
    if (elf?.machine === asking.elf.machine) return { path, elf, parent: asking };
  }
  return undefined;
}

/** In the guest the loader looks for libraries where it was built to: where its C library lies. */
export function libraryDirectory({ interpreter, libraries }: Resolution): string {
  const isMusl = interpreter?.name.includes("/ld-musl-") === true;
  const libc = isMusl ? undefined : libraries.find(({ name }) => name === "libc.so.6");
  return dirname(libc?.path ?? interpreter?.name ?? "/lib/ld.so");
}
