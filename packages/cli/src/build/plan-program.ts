/** An ELF program: alone where it is static, with its loader and libraries where that is asked for. */
import { statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import type { ElfFile } from "@uni/contract/elf";
import { UniError } from "@uni/contract/errors";
import {
  libraryDirectory,
  type Needed,
  type Resolution,
  resolveLibraries,
} from "../elf/resolve-libraries.ts";
import type { NamedFile, PlannedBuild } from "./planned.ts";
import { programName } from "./reference.ts";

export interface ProgramOptions {
  readonly reference: string;
  readonly withLibs: boolean;
  /** SRC or SRC:DST each. */
  readonly include: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export async function planProgram(
  path: string,
  elf: ElfFile,
  { reference, withLibs, include, env }: ProgramOptions,
): Promise<PlannedBuild> {
  const isDynamic = elf.interpreter !== undefined || elf.libraries.length > 0;
  const resolution = isDynamic ? await resolveLibraries(path, elf, env) : undefined;
  if (resolution !== undefined) checkResolution(path, resolution, withLibs);
  if (resolution === undefined && include.length === 0) {
    return { reference, params: { kind: "elf" }, upload: { kind: "file", path }, what: "the program" };
  }
  const name = `bin/${programName(reference)}`;
  const files = [
    { path, name },
    ...(resolution === undefined ? [] : libraryFiles(resolution)),
    ...include.map(includedFile),
  ];
  return {
    reference,
    params: { kind: "program", config: { entrypoint: [`/${name}`] } },
    upload: { kind: "files", files },
    what: resolution === undefined ? "the program" : "the program and its libraries",
  };
}

function checkResolution(path: string, { interpreter, libraries }: Resolution, withLibs: boolean): void {
  const all = [...(interpreter === undefined ? [] : [interpreter]), ...libraries];
  const missing = all.filter((each) => each.path === undefined);
  if (withLibs && missing.length === 0) return;
  const needs = `${path} is dynamically linked and needs ${all.map(({ name }) => name).join(", ")}`;
  const lack = `not on this machine: ${missing.map(describeMissing).join(", ")}`;
  throw new UniError(
    "elf_dynamic",
    `building from ${path}: ${needs}${missing.length === 0 ? "" : `; ${lack}`}`,
    {
      hint:
        missing.length > 0
          ? "Install what is missing, or name its directory in LD_LIBRARY_PATH; or link the program statically."
          : "Say --with-libs to have them copied into the image, or link it statically (-static; CGO_ENABLED=0; a musl target).",
    },
  );
}

const describeMissing = ({ name, neededBy }: Needed): string => `${name} (for ${neededBy})`;

/** All in one directory, by the names that they are asked for; one that is asked for by a path keeps it. */
function libraryFiles(resolution: Resolution): NamedFile[] {
  const { interpreter, libraries } = resolution;
  const directory = libraryDirectory(resolution);
  const files = new Map<string, NamedFile>();
  for (const { name, path } of [...(interpreter === undefined ? [] : [interpreter]), ...libraries]) {
    const place = isAbsolute(name) ? name : join(directory, name);
    if (path !== undefined && !files.has(place)) files.set(place, { path, name: place.slice(1) });
  }
  return [...files.values()];
}

function includedFile(text: string): NamedFile {
  const colon = text.indexOf(":");
  const source = resolve(colon === -1 ? text : text.slice(0, colon));
  const destination = colon === -1 ? source : text.slice(colon + 1);
  if (statSync(source, { throwIfNoEntry: false }) === undefined) {
    throw new UniError("not_found", `reading --include ${text}: there is no ${source}`);
  }
  if (!isAbsolute(destination) || resolve(destination) === "/") {
    throw new UniError(
      "invalid_value",
      `reading --include ${text}: '${destination}' is no absolute path of a file`,
    );
  }
  return { path: source, name: resolve(destination).slice(1) };
}
