/** Where the Dockerfile of a build context is. */
import { statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { UniError } from "@uni/contract/errors";
import { findIgnoreFile } from "./ignore-rules.ts";
import type { PlannedBuild } from "./planned.ts";

/** Name in the tar of a Dockerfile from outside the context. */
export const outsideName = ".uni-dockerfile";

type Planned = Pick<PlannedBuild, "params" | "upload" | "what">;

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

export function contextOf(path: string, dockerfile: string, outside?: string): Planned {
  const ignoreFile = findIgnoreFile(path, outside ?? join(path, dockerfile));
  return {
    params: { kind: "context", dockerfile },
    upload: {
      kind: "tree",
      path,
      extra: outside === undefined ? [] : [{ path: outside, name: dockerfile }],
      ...(ignoreFile === undefined ? {} : { ignoreFile }),
    },
    what: "the build context",
  };
}

/** As Docker takes `-f`: from here, else from inside the context. */
export function namedDockerfile(context: string, file: string): Planned {
  const fromHere = resolve(file);
  const path = isFile(fromHere) ? fromHere : resolve(context, file);
  if (!isFile(path)) {
    throw new UniError("not_found", `building from ${context}: there is no Dockerfile at ${file}`);
  }
  const inside = relative(resolve(context), path);
  if (inside.startsWith("..") || isAbsolute(inside)) return contextOf(context, outsideName, path);
  return contextOf(context, inside);
}

export const dockerfileAlone = (path: string): Planned => contextOf(dirname(path), basename(path));

export function findDockerfile(directory: string): Planned | undefined {
  const name = ["Dockerfile", "Containerfile"].find((each) => isFile(join(directory, each)));
  return name === undefined ? undefined : contextOf(directory, name);
}
