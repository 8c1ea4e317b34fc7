/** `--build-context`: directories that go along with a build context, each by the name that the Dockerfile has for it. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { contextNamePattern } from "@uni/contract/limits";
import { furtherContexts } from "@uni/contract/rpc-params";
import type { NamedPath } from "../files/pack.ts";
import { leaveOutOf, readIgnoreRules } from "./ignore-rules.ts";

export interface FurtherContext {
  readonly name: string;
  readonly path: string;
}

const contextName = new RegExp(contextNamePattern);
const hint = "Write it as NAME=DIRECTORY, for COPY --from=NAME.";

export function readFurtherContexts(texts: readonly string[]): FurtherContext[] {
  const byName = new Map(texts.map(readOne).map((each) => [each.name, each]));
  return [...byName.values()];
}

function readOne(text: string): FurtherContext {
  const [, name = "", path = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const attempted = `reading --build-context '${text}'`;
  if (!contextName.test(name)) {
    throw new UniError("invalid_value", `${attempted}: '${name}' is no name of a context`, { hint });
  }
  if (/^[a-z+-]+:\/\//.test(path)) {
    throw new UniError("invalid_value", `${attempted}: it is no directory of this machine`, {
      hint: "An image is named in the Dockerfile itself: COPY --from=IMAGE. What is elsewhere is fetched before.",
    });
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return { name, path };
  throw new UniError("not_found", `${attempted}: there is no directory '${path}'`, { hint });
}

/** Where it goes in the tar. A `.dockerignore` in it holds for it. */
export function placeOf({ name, path }: FurtherContext): NamedPath {
  const top = `${furtherContexts}/${name}`;
  const ignoreFile = join(path, ".dockerignore");
  if (statSync(ignoreFile, { throwIfNoEntry: false })?.isFile() !== true) return { path, name: top };
  const leaveOut = leaveOutOf(readIgnoreRules(ignoreFile));
  return { path, name: top, leaveOut: (below) => leaveOut(below.slice(top.length + 1)) };
}
