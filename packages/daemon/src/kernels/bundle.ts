/**
 * Kernel bundles: `<cache>/kernels/<version>/` with `vmlinux`, `modules/`, `modules/order` and `bundle.json`. A bundle is
 * made aside, renamed into place and never changed, so several daemons can share the cache.
 */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory, readTextIfExists, removeTree, writeFileAtomic } from "../host/files.ts";
import { compareVersions } from "./debian-version.ts";
import type { Bundle, Flavour } from "./kernel.ts";

export interface BundleParts {
  readonly version: string;
  readonly flavour: Flavour;
  readonly source: string;
  readonly createdAt: Date;
  readonly kernel: Uint8Array;
  /** In load order. */
  readonly modules: readonly { readonly name: string; readonly content: Uint8Array }[];
  /** Names that were looked for. */
  readonly wantedModules?: readonly string[];
}

/** Versions are directory names: no separators, no leading dot. */
const versionPattern = /^[A-Za-z0-9][A-Za-z0-9+.~-]{0,127}$/;

export const kernelsDirectory = (cache: string): string => join(cache, "kernels");
export const bundleDirectory = (cache: string, version: string): string =>
  join(kernelsDirectory(cache), version);

export async function readBundle(cache: string, version: string): Promise<Bundle | undefined> {
  if (!versionPattern.test(version)) return undefined;
  const text = await readTextIfExists(join(bundleDirectory(cache, version), "bundle.json"));
  if (text === undefined) return undefined;
  const bundle = JSON.parse(text) as Bundle;
  return bundle.version === version ? bundle : undefined;
}

/** Newest first. */
export async function listBundles(cache: string): Promise<Bundle[]> {
  const bundles: Bundle[] = [];
  for (const name of await namesIn(kernelsDirectory(cache))) {
    const bundle = await readBundle(cache, name);
    if (bundle) bundles.push(bundle);
  }
  return bundles.sort((a, b) => compareVersions(b.version, a.version));
}

/** An empty directory on the cache's file system; `removeAsides` clears what a crash left. */
export async function makeAside(cache: string): Promise<string> {
  const directory = join(kernelsDirectory(cache), `.aside-${randomBytes(6).toString("hex")}`);
  await ensureDirectory(directory, 0o755);
  return directory;
}

/** To be called by the holder of the cache's lock: nobody else makes asides then. */
export async function removeAsides(cache: string): Promise<void> {
  for (const name of await namesIn(kernelsDirectory(cache))) {
    if (/^\.(aside|gone)-/.test(name)) await removeTree(join(kernelsDirectory(cache), name));
  }
}

export async function publishBundle(cache: string, parts: BundleParts): Promise<Bundle> {
  if (!versionPattern.test(parts.version)) {
    throw new UniError("failed", `make a kernel bundle: unusable version ${parts.version}`);
  }
  const aside = await makeAside(cache);
  try {
    await ensureDirectory(join(aside, "modules"), 0o755);
    await writeFileAtomic(join(aside, "vmlinux"), parts.kernel, 0o644);
    for (const { name, content } of parts.modules) {
      await writeFileAtomic(join(aside, "modules", name), content, 0o644);
    }
    const order = parts.modules.map(({ name }) => `${name}\n`).join("");
    await writeFileAtomic(join(aside, "modules", "order"), order, 0o644);
    const { version, flavour, source, wantedModules } = parts;
    const digest = await digestOf(aside);
    const bundle: Bundle = {
      ...{ version, flavour, digest, createdAt: parts.createdAt.toISOString(), source },
      ...(wantedModules !== undefined && { modules: wantedModules }),
    };
    await writeFileAtomic(join(aside, "bundle.json"), `${JSON.stringify(bundle, undefined, 2)}\n`, 0o644);
    return await moveIntoPlace(cache, aside, bundle);
  } finally {
    await removeTree(aside);
  }
}

/** A rival may have been faster: its bundle is as good. What is in the way and no bundle is not ours, and goes. */
async function moveIntoPlace(cache: string, aside: string, bundle: Bundle): Promise<Bundle> {
  try {
    await rename(aside, bundleDirectory(cache, bundle.version));
    return bundle;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
  const rival = await readBundle(cache, bundle.version);
  if (rival) return rival;
  await removeBundle(cache, bundle.version);
  return moveIntoPlace(cache, aside, bundle);
}

export async function removeBundle(cache: string, version: string): Promise<void> {
  const gone = join(kernelsDirectory(cache), `.gone-${randomBytes(6).toString("hex")}`);
  await rename(bundleDirectory(cache, version), gone);
  await removeTree(gone);
}

/** Throws unless the files still are what they were when the bundle was made. */
export async function verifyBundle(cache: string, bundle: Bundle): Promise<void> {
  if ((await digestOf(bundleDirectory(cache, bundle.version))) === bundle.digest) return;
  throw new UniError(
    "digest_mismatch",
    `verify kernel ${bundle.version}: its files in the cache are damaged`,
    {
      hint: `Remove ${bundleDirectory(cache, bundle.version)} and run uni kernel update or build.`,
    },
  );
}

export async function bundleSize(cache: string, version: string): Promise<number> {
  const directory = bundleDirectory(cache, version);
  let size = 0;
  for (const path of await contentPaths(directory)) size += (await stat(join(directory, path))).size;
  return size;
}

async function digestOf(directory: string): Promise<string> {
  const all = createHash("sha256");
  for (const path of await contentPaths(directory)) {
    const { size } = await stat(join(directory, path));
    all.update(`${path} ${size} ${await hashFile(join(directory, path))}\n`);
  }
  return `sha256:${all.digest("hex")}`;
}

async function contentPaths(directory: string): Promise<string[]> {
  const modules = await namesIn(join(directory, "modules"));
  return ["vmlinux", ...modules.map((name) => `modules/${name}`)].sort();
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

export async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
