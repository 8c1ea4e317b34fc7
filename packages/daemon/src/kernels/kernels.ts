/**
 * The kernels that machines boot. The cache holds bundles and is shared by the daemons of a host; which one new starts
 * boot is each daemon's own choice: the one named by `use`, else the newest distribution kernel, fetched on first use.
 */
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { withFileLock } from "../host/file-lock.ts";
import { ensureDirectory, removeTree } from "../host/files.ts";
import { architectureOf } from "./architectures.ts";
import { bootFilesExist, makeBootFiles, removeInitramfs } from "./boot-files.ts";
import {
  type BundleParts,
  bundleSize,
  kernelsDirectory,
  listBundles,
  makeAside,
  publishBundle,
  readBundle,
  removeAsides,
  removeBundle,
  verifyBundle,
} from "./bundle.ts";
import { compareVersions } from "./debian-version.ts";
import { fetchDistribution, newestDistribution } from "./distribution.ts";
import type { BootFiles, Bundle, Kernel, KernelCheck, OnProgress } from "./kernel.ts";
import { buildLean, leanVersion, newestSource } from "./lean.ts";
import { readLeanConfig } from "./lean-config.ts";
import { dropLeases, otherLeases, takeLease } from "./leases.ts";
import { isOutdated } from "./modules.ts";
import { clearSelection, readSelection, writeSelection } from "./selection.ts";
import { requireSpace } from "./space.ts";

export interface KernelsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Shared by the daemons of the host; may be removed as a whole while none runs. */
  readonly cacheDirectory: string;
  /** This daemon's own. */
  readonly dataDirectory: string;
  /** The static PID 1 and agent, `/init` of the initramfs. */
  readonly agentPath: string;
  /** Configuration of the lean kernel. */
  readonly leanConfigPath: string;
}

export interface Kernels {
  /** Newest first. */
  list(): Promise<readonly Kernel[]>;
  /** The selected kernel; fetches the distribution's when there is none yet. */
  current(): Promise<Bundle>;
  bootFiles(version: string): Promise<BootFiles>;
  use(version: string): Promise<Kernel>;
  /** Compares the cache with apt's index; asks no network. */
  check(): Promise<KernelCheck>;
  /** Fetches the distribution's newest and selects it, unless a lean kernel is selected. */
  update(onProgress: OnProgress, signal: AbortSignal): Promise<Kernel>;
  /** Builds the lean kernel; selects nothing. */
  build(onProgress: OnProgress, signal: AbortSignal): Promise<Kernel>;
  /** `in_use` while it is selected, or `inUse` names instances, or another daemon uses it. */
  remove(version: string, inUse: (version: string) => readonly string[]): Promise<void>;
}

const neverAborted = new AbortController().signal;

export function createKernels(options: KernelsOptions): Kernels {
  const { cacheDirectory: cache, dataDirectory, clock, log } = options;
  const architecture = architectureOf();
  /** Verified and made once per life of the daemon. */
  const booted = new Map<string, Promise<BootFiles>>();
  let firstFetch: Promise<Bundle> | undefined;
  let keepOutdated = false;

  const newest = async () => (await listBundles(cache)).find(({ flavour }) => flavour === "distribution");
  const selected = async () => (await readSelection(dataDirectory)) ?? (await newest())?.version;

  async function require(version: string): Promise<Bundle> {
    const bundle = await readBundle(cache, version);
    if (bundle) return bundle;
    const known = (await listBundles(cache)).map((each) => each.version);
    throw new UniError("kernel_not_found", `find kernel ${version}: it is not in the cache`, {
      hint: known.length > 0 ? `There are ${known.join(", ")}.` : "Run uni kernel update.",
    });
  }

  async function describe(bundle: Bundle): Promise<Kernel> {
    const sizeBytes = await bundleSize(cache, bundle.version);
    return { ...bundle, selected: bundle.version === (await selected()), sizeBytes };
  }

  /** One maker at a time on the host; the second finds the bundle of the first. */
  async function make(
    version: string,
    onProgress: OnProgress,
    signal: AbortSignal,
    work: (workDirectory: string) => Promise<BundleParts>,
  ): Promise<Bundle> {
    await ensureDirectory(cache, 0o755);
    await ensureDirectory(kernelsDirectory(cache), 0o755);
    const onWait = () =>
      onProgress({ step: "check", message: "another daemon is making a kernel: wait for it" });
    return withFileLock(join(cache, "kernels.lock"), { clock, signal, onWait }, async () => {
      const there = await readBundle(cache, version);
      if (there && !isOutdated(there)) return there;
      await removeAsides(cache);
      const workDirectory = await makeAside(cache);
      try {
        const parts = await work(workDirectory);
        // Who boots from it has its files already: the kernel is the same, and the initramfs lies elsewhere.
        if (there) await removeBundle(cache, version);
        const bundle = await publishBundle(cache, parts);
        log.info({ version: bundle.version, digest: bundle.digest, source: bundle.source }, "kernel ready");
        return bundle;
      } finally {
        // Compilers of an aborted build may still write into it; the next maker then removes it.
        await removeTree(workDirectory).catch((error) => log.warn({ err: error }, "kernel work files left"));
      }
    });
  }

  async function fetchNewest(onProgress: OnProgress, signal: AbortSignal): Promise<Bundle> {
    onProgress({ step: "check", message: architecture.imagePackage });
    const wanted = await newestDistribution(architecture, signal);
    return make(wanted.version, onProgress, signal, async (workDirectory) => {
      await requireSpace(workDirectory, 400 << 20);
      const now = new Date(clock.now());
      return fetchDistribution(wanted, { architecture, workDirectory, now, onProgress, signal });
    });
  }

  async function current(): Promise<Bundle> {
    const chosen = await readSelection(dataDirectory);
    const there = chosen === undefined ? await newest() : await require(chosen);
    if (there !== undefined && (chosen !== undefined || keepOutdated || !isOutdated(there))) return there;
    const progress: OnProgress = ({ step, message }) => log.debug({ step }, `first kernel: ${message}`);
    firstFetch ??= fetchNewest(progress, neverAborted).finally(() => {
      firstFetch = undefined;
    });
    if (there === undefined) return firstFetch;
    try {
      return await firstFetch;
    } catch (error) {
      log.warn(
        { err: error, version: there.version },
        "the kernel lacks modules and cannot be made anew: used as it is",
      );
      return there;
    } finally {
      // Once per life of the daemon: a start must not wait for a network that is not there.
      keepOutdated = true;
    }
  }

  async function prepare(version: string): Promise<BootFiles> {
    await verifyBundle(cache, await require(version));
    await takeLease(cache, version, dataDirectory);
    return makeBootFiles(cache, version, options.agentPath);
  }

  async function bootFiles(version: string): Promise<BootFiles> {
    const known = booted.get(version);
    if (known && (await bootFilesExist(await known))) return known;
    const files = prepare(version);
    booted.set(version, files);
    files.catch(() => booted.delete(version));
    return files;
  }

  return {
    current,
    bootFiles,

    async list() {
      const kernels: Kernel[] = [];
      for (const bundle of await listBundles(cache)) kernels.push(await describe(bundle));
      return kernels;
    },

    async use(version) {
      const bundle = await require(version);
      await verifyBundle(cache, bundle);
      await takeLease(cache, version, dataDirectory);
      await writeSelection(dataDirectory, version);
      return describe(bundle);
    },

    async check() {
      const installed = (await newest())?.version;
      const latest = (await newestDistribution(architecture)).version;
      const updateAvailable = installed === undefined || compareVersions(latest, installed) > 0;
      return { installed, latest, updateAvailable };
    },

    async update(onProgress, signal) {
      const bundle = await fetchNewest(onProgress, signal);
      const chosen = await readSelection(dataDirectory);
      const flavour = chosen === undefined ? undefined : (await readBundle(cache, chosen))?.flavour;
      if (flavour !== "lean") await clearSelection(dataDirectory);
      return describe(bundle);
    },

    async build(onProgress, signal) {
      onProgress({ step: "check", message: architecture.sourcePackage });
      const config = await readLeanConfig(options.leanConfigPath, architecture);
      const source = await newestSource(architecture, signal);
      const bundle = await make(leanVersion(source, config), onProgress, signal, async (workDirectory) => {
        await requireSpace(workDirectory, 3 * 1024 ** 3);
        const now = new Date(clock.now());
        return buildLean(source, { architecture, config, workDirectory, now, onProgress, signal });
      });
      return describe(bundle);
    },

    async remove(version, inUse) {
      await require(version);
      if (version === (await selected())) {
        throw new UniError("in_use", `remove kernel ${version}: it is the selected one`, {
          hint: "Choose another with uni kernel use.",
        });
      }
      const users = [
        ...inUse(version),
        ...(await otherLeases(cache, version, dataDirectory)).map(
          (directory) => `the daemon of ${directory}`,
        ),
      ];
      if (users.length > 0) {
        throw new UniError(
          "in_use",
          `remove kernel ${version}: it is used by ${users.slice(0, 5).join(", ")}`,
        );
      }
      await removeBundle(cache, version);
      await removeInitramfs(cache, version);
      await dropLeases(cache, version);
      booted.delete(version);
    },
  };
}
