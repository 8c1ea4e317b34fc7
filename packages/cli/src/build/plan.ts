/** What a person means by PATH: a Kraftfile, a Dockerfile, a directory with one of them, a program, or a root file system. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { readElfFile } from "../elf/read-file.ts";
import { findKraftfile, isKraftfileName } from "../kraftfile/find-kraftfile.ts";
import { isDockerfileName } from "../kraftfile/source-type.ts";
import { dockerfileAlone, findDockerfile, namedDockerfile } from "./dockerfile.ts";
import { planProgram } from "./plan-program.ts";
import type { BuildPlan, PlannedBuild } from "./planned.ts";
import { referenceFor } from "./reference.ts";

export interface PlanOptions {
  readonly tag?: string;
  readonly file?: string;
  readonly rootfs?: boolean;
  readonly withLibs?: boolean;
  readonly include?: readonly string[];
  /** This machine's. */
  readonly architecture: string;
  readonly env: NodeJS.ProcessEnv;
}

export async function planBuild(path: string, options: PlanOptions): Promise<BuildPlan> {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) {
    throw new UniError("not_found", `building from ${path}: there is no such file or directory`);
  }
  if (info.isDirectory() && (options.withLibs === true || options.include !== undefined)) {
    throw new UniError(
      "exclusive",
      `building from ${path}: --with-libs and --include go with a program alone`,
    );
  }
  return info.isDirectory() ? planDirectory(path, options) : planFile(path, options);
}

async function planFile(path: string, options: PlanOptions): Promise<BuildPlan> {
  const { withLibs = false, include = [], env } = options;
  const elf = await readElfFile(path);
  if (elf !== undefined) {
    const reference = options.tag ?? referenceFor(path);
    return alone(await planProgram(path, elf, { reference, withLibs, include, env }));
  }
  if (isKraftfileName(path)) return ofKraftfile(path, options);
  if (isDockerfileName(path)) {
    const planned = dockerfileAlone(path);
    return alone({ ...planned, reference: options.tag ?? referenceFor(join(path, "..")) });
  }
  throw new UniError("invalid_value", `building from ${path}: it is a file, but no ELF program`, {
    hint: "Give a Kraftfile, a Dockerfile, or a directory with one of them; for an image archive use uni load.",
  });
}

/** What is named goes first; a Kraftfile that is there goes before a Dockerfile, also when it is broken. */
async function planDirectory(path: string, options: PlanOptions): Promise<BuildPlan> {
  const { file, rootfs = false } = options;
  const named = (planned: Omit<PlannedBuild, "reference">): BuildPlan =>
    alone({ ...planned, reference: options.tag ?? referenceFor(path) });
  const root: Omit<PlannedBuild, "reference"> = {
    params: { kind: "root" },
    upload: { kind: "tree", path },
    what: "the root file system",
  };
  if (rootfs) return named(root);
  if (file !== undefined) {
    return isKraftfileName(file) ? ofKraftfile(file, options) : named(namedDockerfile(path, file));
  }
  const kraftfile = findKraftfile(path);
  if (kraftfile !== undefined) return ofKraftfile(kraftfile, options);
  const context = findDockerfile(path);
  if (context !== undefined) return named(context);
  const part = ["bin", "usr", "etc"].find((name) => existsSync(join(path, name)));
  if (part !== undefined) {
    const note = `there is no Kraftfile and no Dockerfile in ${path}, but ${part}: it is taken for a root file system`;
    return { ...named(root), notes: [note] };
  }
  throw new UniError(
    "not_found",
    `building from ${path}: there is neither a Kraftfile nor a Dockerfile in it`,
    {
      hint: "Say where it is with -f, or give --rootfs for a directory that is a root file system.",
    },
  );
}

const alone = (build: PlannedBuild): BuildPlan => ({ builds: [build], notes: [] });

async function ofKraftfile(path: string, options: PlanOptions): Promise<BuildPlan> {
  // Here and not above: the parser of YAML is half of the work of starting.
  const { planKraftfile } = await import("../kraftfile/plan-kraftfile.ts");
  return planKraftfile(path, options);
}
