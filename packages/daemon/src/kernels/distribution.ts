/** The distribution's kernel as a bundle: package from apt, kernel out of its image, the modules that the guest needs. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory } from "../host/files.ts";
import { runOk } from "../host/process.ts";
import { downloadPackage, followDependency, type IndexedPackage } from "./apt.ts";
import type { Architecture } from "./architectures.ts";
import type { BundleParts } from "./bundle.ts";
import { requireArmImage, requirePvhEntry } from "./elf-entry.ts";
import type { OnProgress } from "./kernel.ts";
import { loadOrder, moduleName, readModuleIndex, wantedModules } from "./modules.ts";
import { decompressFile, locatePayload, unpackPayload } from "./payload.ts";

export const newestDistribution = (
  architecture: Architecture,
  signal?: AbortSignal,
): Promise<IndexedPackage> => followDependency(architecture.imagePackage, "linux-image-", signal);

export interface FetchOptions {
  readonly architecture: Architecture;
  /** Empty, on the cache's file system. */
  readonly workDirectory: string;
  readonly now: Date;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

export async function fetchDistribution(wanted: IndexedPackage, options: FetchOptions): Promise<BundleParts> {
  const { onProgress, signal, workDirectory } = options;
  const deb = await downloadPackage(wanted, workDirectory, onProgress, signal);
  const tree = join(workDirectory, "tree");
  await ensureDirectory(tree, 0o755);
  onProgress({ step: "unpack", message: wanted.name });
  await runOk("dpkg-deb", ["-x", deb, tree], { signal, timeoutMs: 5 * 60_000 });
  onProgress({ step: "kernel", message: `take the kernel out of ${wanted.name}` });
  const kernel = await readKernel(join(tree, "boot"), options);
  onProgress({ step: "modules", message: "choose kernel modules" });
  const modules = await readModules(tree, signal);
  const source = `${wanted.name}=${wanted.version}`;
  return {
    version: wanted.version,
    flavour: "distribution",
    source,
    createdAt: options.now,
    kernel,
    modules,
    wantedModules,
  };
}

async function readKernel(boot: string, { architecture, signal }: FetchOptions): Promise<Buffer> {
  const name = (await readdir(boot)).find((entry) => entry.startsWith("vmlinuz-"));
  if (!name) throw new UniError("failed", "take the kernel out of its package: no boot/vmlinuz-… in it");
  const image = await readFile(join(boot, name));
  if (architecture.format === "image") {
    const kernel = await decompressFile(image, signal);
    requireArmImage(kernel);
    return kernel;
  }
  const kernel = await unpackPayload(locatePayload(image), signal);
  requirePvhEntry(kernel);
  return kernel;
}

async function readModules(tree: string, signal: AbortSignal): Promise<BundleParts["modules"]> {
  const { base, release } = await findModuleTree(tree);
  // The package has no modules.dep: its postinst makes it on the machine.
  await runOk("depmod", ["--basedir", base, release], { signal, timeoutMs: 60_000 });
  const directory = join(base, "lib/modules", release);
  const read = (name: string) => readFile(join(directory, name), "utf8");
  const index = readModuleIndex(await read("modules.dep"), await read("modules.builtin"));
  const modules: { name: string; content: Buffer }[] = [];
  for (const path of loadOrder(index)) {
    const content = await decompressFile(await readFile(join(directory, path)), signal);
    modules.push({ name: `${moduleName(path)}.ko`, content });
  }
  return modules;
}

/** `lib/modules` lies below `usr` in distributions with a merged /usr. */
async function findModuleTree(tree: string): Promise<{ base: string; release: string }> {
  for (const base of [tree, join(tree, "usr")]) {
    const releases = await readdir(join(base, "lib/modules")).catch(() => []);
    if (releases.length === 1 && releases[0]) return { base, release: releases[0] };
  }
  throw new UniError("failed", "read the kernel package: no single lib/modules/RELEASE in it");
}
