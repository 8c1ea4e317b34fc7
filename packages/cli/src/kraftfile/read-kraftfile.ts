/** Reads a Kraftfile: every key of versions 0.6 and 0.7 is taken, or refused with its line; none is passed over in silence. */
import type { Item } from "./item.ts";
import type { Kraftfile } from "./kraftfile.ts";
import { parseKraftYaml } from "./parse-yaml.ts";
import { readRoms, readRootfs } from "./read-filesystem.ts";
import { checkVersion, readCommand, readLabels, readPairs, readTargets, refuse } from "./read-values.ts";

const known = [
  "spec",
  "specification",
  "name",
  "runtime",
  "rootfs",
  "roms",
  "cmd",
  "env",
  "labels",
  "targets",
];
const ignored = ["outdir"];

export function readKraftfile(path: string): Kraftfile {
  const top = parseKraftYaml(path);
  const members = top.map();
  const notes = checkVersion(top, members);
  refuse(members.get("libraries"), "Uni boots its own kernel and links nothing into it");
  refuse(
    members.get("template"),
    "Uni does not assemble applications from others",
    "Put its keys into this file.",
  );
  refuse(
    members.get("volumes"),
    "an image carries no volumes",
    "Leave them out, and copy what the program needs into its root file system.",
  );
  const kernel = members.get("unikraft");
  if (kernel !== undefined) checkKernel(kernel, members, notes);
  for (const [name, item] of members) {
    if (known.includes(name) || name === "unikraft") continue;
    const reason = ignored.includes(name) ? "has no effect" : "is not known and was ignored";
    notes.push(item.error(`this key ${reason}`).message);
  }
  const read = <T>(key: string, parse: (item: Item) => T): T | undefined => {
    const item = members.get(key);
    return item === undefined ? undefined : parse(item);
  };
  return {
    path,
    name: read("name", (item) => item.text()),
    runtime: read("runtime", readRuntime),
    rootfs: read("rootfs", (item) => readRootfs(item, notes)),
    roms: read("roms", (item) => readRoms(item, notes)) ?? [],
    cmd: read("cmd", readCommand),
    env: read("env", readPairs),
    labels: read("labels", readLabels),
    targets: read("targets", readTargets) ?? [],
    notes,
  };
}

/** A reference; version 0.6 also had `{source, version}`. */
function readRuntime(item: Item): string {
  if (item.isText) return item.text();
  const members = item.map();
  refuse(members.get("kconfig"), "Uni boots its own kernel and builds none from a configuration");
  const source = members.get("source");
  if (source === undefined) throw item.error("it has no 'source'");
  const version = members.get("version");
  return version === undefined ? source.text() : `${source.text()}:${version.text()}`;
}

/** A kernel from source cannot be had; one that is ready is passed over, for Uni boots its own. */
function checkKernel(item: Item, members: ReadonlyMap<string, Item>, notes: string[]): void {
  const parts = item.isMap ? item.map() : undefined;
  if (parts?.get("type")?.text() !== "kernel") {
    refuse(
      item,
      "Uni boots its own kernel and builds none from source",
      "Write in its place: runtime: base-compat:latest",
    );
  }
  refuse(parts?.get("version"), "a ready kernel has no version to be built from");
  refuse(parts?.get("kconfig"), "a ready kernel has no configuration to be built with");
  const source = parts?.get("source");
  if (source === undefined) throw item.error("a kernel has a 'source'");
  if (members.has("runtime")) throw item.error("there is a 'runtime' as well; one of the two is enough");
  if (members.get("targets")?.list().length !== 1)
    throw item.error("a kernel is for exactly one of 'targets'");
  if (!members.has("rootfs")) {
    refuse(item, "without a root file system the program is in that kernel, and Uni boots its own");
  }
  notes.push(source.error("this kernel is left out: Uni boots its own").message);
}
