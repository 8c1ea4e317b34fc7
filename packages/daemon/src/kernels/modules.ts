import { posix } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Bundle } from "./kernel.ts";

/**
 * Module names the guest needs, and those it gets where the kernel has them. Built in is as good. SCSI is for ROMs, the last two
 * end connections of an address that is gone.
 */
export const neededModules = [
  "virtio_mmio",
  "virtio_blk",
  "virtio_net",
  "virtio_console",
  "virtio_scsi",
  "sd_mod",
  "erofs",
  "overlay",
  "ext4",
] as const;
export const optionalModules = ["fuse", "tun", "tcp_diag", "udp_diag"] as const;

export const wantedModules: readonly string[] = [...neededModules, ...optionalModules];

/** Made when fewer modules were asked for: it lacks what some features need. Of a lean kernel its version tells. */
export const isOutdated = ({ flavour, modules = [] }: Pick<Bundle, "flavour" | "modules">): boolean =>
  flavour === "distribution" && wantedModules.some((name) => !modules.includes(name));

export interface ModuleIndex {
  /** Name to path in the module tree. */
  readonly paths: ReadonlyMap<string, string>;
  /** Path to the paths that it needs. */
  readonly dependencies: ReadonlyMap<string, readonly string[]>;
  readonly builtIn: ReadonlySet<string>;
}

/** The name the kernel knows a module by: `kernel/drivers/char/hw_random/virtio-rng.ko.xz` is `virtio_rng`. */
export function moduleName(path: string): string {
  return posix
    .basename(path)
    .replace(/\.ko(\.(gz|xz|zst))?$/, "")
    .replaceAll("-", "_");
}

/** Reads depmod's `modules.dep` and the kernel's `modules.builtin`. */
export function readModuleIndex(dependencyText: string, builtInText: string): ModuleIndex {
  const paths = new Map<string, string>();
  const dependencies = new Map<string, readonly string[]>();
  for (const line of lines(dependencyText)) {
    const colon = line.indexOf(":");
    if (colon < 1)
      throw new UniError("failed", `read modules.dep: a line without a colon: ${line.slice(0, 80)}`);
    const path = inside(line.slice(0, colon));
    paths.set(moduleName(path), path);
    dependencies.set(
      path,
      line
        .slice(colon + 1)
        .split(" ")
        .filter(Boolean)
        .map(inside),
    );
  }
  return { paths, dependencies, builtIn: new Set(lines(builtInText).map(moduleName)) };
}

/** Paths of the modules for these names and all they depend on, each after what it needs. */
export function loadOrder(
  index: ModuleIndex,
  needed: readonly string[] = neededModules,
  optional: readonly string[] = optionalModules,
): string[] {
  const missing = needed.filter((name) => !index.paths.has(name) && !index.builtIn.has(name));
  if (missing.length > 0)
    throw new UniError("failed", `choose kernel modules: the kernel has no ${missing.join(", ")}`);
  const order = new Set<string>();
  for (const name of [...needed, ...optional]) {
    const path = index.paths.get(name);
    if (path) addWithDependencies(index, path, order, new Set());
  }
  return [...order];
}

function addWithDependencies(index: ModuleIndex, path: string, order: Set<string>, above: Set<string>): void {
  if (order.has(path)) return;
  if (above.has(path)) throw new UniError("failed", `choose kernel modules: ${path} depends on itself`);
  const needs = index.dependencies.get(path);
  if (!needs) throw new UniError("failed", `choose kernel modules: modules.dep does not list ${path}`);
  above.add(path);
  for (const need of needs) addWithDependencies(index, need, order, above);
  above.delete(path);
  order.add(path);
}

/** A path of the index stays inside the module tree and names a module. */
function inside(path: string): string {
  const clean = posix.normalize(path);
  if (
    clean === path &&
    !posix.isAbsolute(path) &&
    !path.startsWith("..") &&
    /\.ko(\.(gz|xz|zst))?$/.test(path)
  ) {
    return path;
  }
  throw new UniError("failed", `read modules.dep: unusable path ${path.slice(0, 80)}`);
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
