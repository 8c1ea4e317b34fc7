/** From a Kraftfile to builds: one of its root file system, and one of each ROM. */
import { basename, dirname, resolve } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { BuildConfig, BuildPlan, PlannedBuild } from "../build/planned.ts";
import { nameFrom, referenceFor, siblingReference } from "../build/reference.ts";
import type { Kraftfile, Rom } from "./kraftfile.ts";
import { planFilesystem } from "./plan-filesystem.ts";
import { readKraftfile } from "./read-kraftfile.ts";

export interface KraftOptions {
  /** In place of the name that the file has. */
  readonly tag?: string;
  /** This machine's, or what was asked for and is the same. */
  readonly architecture: string;
}

/** Runtimes that are a kernel and no more. */
const kernelOnly = /(?:^|\/)base(?:-compat)?(?:-dbg)?(?:[:@].*)?$/;

export function planKraftfile(path: string, { tag, architecture }: KraftOptions): BuildPlan {
  const kraftfile = readKraftfile(path);
  const directory = dirname(resolve(path));
  checkTargets(kraftfile, architecture);
  const reference = tag ?? (nameFrom(kraftfile.name ?? "") || referenceFor(directory));
  const builds = [...planRoot(kraftfile, directory, reference), ...planRoms(kraftfile, directory, reference)];
  const [first, ...more] = builds;
  if (first === undefined) {
    throw new UniError("malformed", `building from ${path}: there is nothing to build in it`, {
      hint: "Give it a rootfs, roms, or a runtime.",
    });
  }
  return { builds: [first, ...more], notes: kraftfile.notes };
}

function checkTargets({ path, targets }: Kraftfile, architecture: string): void {
  if (targets.length === 0 || targets.some((target) => target.architecture === architecture)) return;
  const named = targets.map((target) => `${target.platform}/${target.architecture}`).join(", ");
  throw new UniError(
    "not_supported",
    `building from ${path}: none of its targets (${named}) is for ${architecture}`,
    {
      hint: `Uni builds for the machine it runs on: add a target for ${architecture}.`,
    },
  );
}

function planRoot(kraftfile: Kraftfile, directory: string, reference: string): PlannedBuild[] {
  const { rootfs } = kraftfile;
  if (!hasRoot(kraftfile)) return [];
  const base = baseOf(kraftfile);
  const config = configOf(kraftfile);
  if (rootfs !== undefined) {
    const { params, upload, what } = planFilesystem(rootfs, directory);
    return [
      { reference, params: { ...params, ...(base === undefined ? {} : { base }), config }, upload, what },
    ];
  }
  if (base !== undefined) {
    const params = { kind: "image", image: base, config } as const;
    return [{ reference, params, upload: { kind: "nothing" }, what: "nothing" }];
  }
  // A kernel and a command: what it runs comes from ROMs.
  return [
    { reference, params: { kind: "root", config }, upload: { kind: "files", files: [] }, what: "nothing" },
  ];
}

/** A runtime with files of its own. */
const baseOf = ({ runtime }: Kraftfile): string | undefined =>
  runtime === undefined || kernelOnly.test(runtime) ? undefined : runtime;

/** A kernel that ROMs alone go with, without a command, is nothing that could run. */
const hasRoot = (kraftfile: Kraftfile): boolean =>
  kraftfile.rootfs !== undefined ||
  baseOf(kraftfile) !== undefined ||
  (kraftfile.runtime !== undefined && (kraftfile.cmd !== undefined || kraftfile.roms.length === 0));

/** The whole command line stands in `cmd`: an entry point of the Dockerfile's is no part of it. */
function configOf({ cmd, env, labels }: Kraftfile): BuildConfig {
  return {
    ...(cmd === undefined ? {} : { entrypoint: [], cmd: [...cmd] }),
    ...(env === undefined ? {} : { env }),
    ...(labels === undefined ? {} : { labels }),
  };
}

/** A ROM alone has the name itself; beside others it is named after itself too. */
function planRoms(kraftfile: Kraftfile, directory: string, reference: string): PlannedBuild[] {
  const { roms } = kraftfile;
  const isAlone = roms.length === 1 && !hasRoot(kraftfile);
  const taken = new Set<string>();
  return roms.map((rom) => {
    const suffix = suffixOf(rom);
    if (taken.has(suffix)) throw rom.error(`there are two ROMs of the name '${suffix}'`);
    taken.add(suffix);
    const { params, upload, what } = planFilesystem(rom, directory);
    return {
      ...(isAlone ? { reference } : { reference: siblingReference(reference, suffix), suffix }),
      // A ROM has no program, whatever its Dockerfile says.
      params: { ...params, config: { entrypoint: [], cmd: [] } },
      upload,
      what: what === "nothing" ? what : `the ROM ${suffix}`,
    };
  });
}

function suffixOf(rom: Rom): string {
  const suffix = nameFrom(rom.name ?? basename(rom.path));
  if (suffix === "")
    throw rom.error("no name of an image can be made of its name", "Give it a 'name' of letters and digits.");
  return suffix;
}
