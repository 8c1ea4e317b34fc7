/** The lean kernel as a bundle: the distribution's source, our configuration, everything built in. */
import { access, readdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory } from "../host/files.ts";
import { run, runOk } from "../host/process.ts";
import { downloadPackage, followDependency, type IndexedPackage } from "./apt.ts";
import type { Architecture } from "./architectures.ts";
import type { BundleParts } from "./bundle.ts";
import { requireArmImage, requirePvhEntry } from "./elf-entry.ts";
import type { OnProgress } from "./kernel.ts";
import { configId, untaken } from "./lean-config.ts";

export const newestSource = (architecture: Architecture, signal?: AbortSignal): Promise<IndexedPackage> =>
  followDependency(architecture.sourcePackage, "linux-source-", signal);

/** Another configuration of the same source is another kernel. */
export const leanVersion = (source: IndexedPackage, config: string): string =>
  `${source.version}-lean.${configId(config)}`;

export interface BuildOptions {
  readonly architecture: Architecture;
  readonly config: string;
  readonly workDirectory: string;
  readonly now: Date;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** Lines that make prints for this configuration, for the progress only. */
const expectedLines = 1700;
const compileTimeoutMs = 2 * 60 * 60_000;
const tools = ["gcc", "make", "flex", "bison", "bc", "strip", "xz"];
const headers = ["/usr/include/libelf.h", "/usr/include/openssl/ssl.h"];

export async function buildLean(source: IndexedPackage, options: BuildOptions): Promise<BundleParts> {
  const { architecture, onProgress, signal } = options;
  await requireTools(signal);
  const tree = await unpackSource(source, options);
  const make = makeIn(tree, options);
  onProgress({ step: "configure", message: "apply the lean configuration" });
  await configure(tree, options, make);
  onProgress({ step: "compile", message: architecture.target, current: 0, total: expectedLines });
  // Polite to the machines that run meanwhile.
  await make(["-j", String(availableParallelism()), architecture.target], compileTimeoutMs);
  const result = join(tree, architecture.result);
  if (architecture.format === "elf") await runOk("strip", ["--strip-all", result], { signal });
  const kernel = await readFile(result);
  if (architecture.format === "elf") requirePvhEntry(kernel);
  else requireArmImage(kernel);
  return {
    version: leanVersion(source, options.config),
    flavour: "lean",
    source: `${source.name}=${source.version}`,
    createdAt: options.now,
    kernel,
    modules: [],
  };
}

async function requireTools(signal: AbortSignal): Promise<void> {
  const missing: string[] = [];
  for (const tool of tools) {
    const found = await run(tool, ["--version"], { signal, timeoutMs: 10_000 }).catch(() => undefined);
    signal.throwIfAborted();
    if (found?.code !== 0) missing.push(tool);
  }
  for (const header of headers) await access(header).catch(() => missing.push(header));
  if (missing.length === 0) return;
  throw new UniError("host_unfit", `build the lean kernel: ${missing.join(", ")} not found`, {
    hint: "apt-get install gcc make flex bison bc binutils xz-utils libelf-dev libssl-dev",
  });
}

async function unpackSource(source: IndexedPackage, options: BuildOptions): Promise<string> {
  const { workDirectory, onProgress, signal } = options;
  const deb = await downloadPackage(source, workDirectory, onProgress, signal);
  onProgress({ step: "unpack", message: source.name });
  const [outer, inner] = [join(workDirectory, "package"), join(workDirectory, "source")];
  await ensureDirectory(outer);
  await ensureDirectory(inner);
  await runOk("dpkg-deb", ["-x", deb, outer], { signal, timeoutMs: 5 * 60_000 });
  const archive = (await readdir(join(outer, "usr/src"))).find((name) =>
    /^linux-source-.*\.tar\./.test(name),
  );
  if (!archive) throw new UniError("failed", `unpack ${source.name}: no usr/src/linux-source-….tar in it`);
  const args = ["-x", "-f", join(outer, "usr/src", archive), "-C", inner, "--strip-components=1"];
  await runOk("tar", [...args, "--no-same-owner"], { signal, timeoutMs: 15 * 60_000 });
  return inner;
}

type Make = (args: readonly string[], timeoutMs: number) => Promise<void>;

function makeIn(tree: string, { architecture, now, onProgress, signal }: BuildOptions): Make {
  const env = {
    ARCH: architecture.make,
    KBUILD_BUILD_TIMESTAMP: now.toUTCString(),
    KBUILD_BUILD_USER: "uni",
    KBUILD_BUILD_HOST: "uni",
    KCONFIG_ALLCONFIG: join(tree, "lean.config"),
  };
  return async (args, timeoutMs) => {
    let count = 0;
    const onStdout = (chunk: Buffer) => {
      const lines = chunk.toString().trim().split("\n");
      count += lines.length;
      const message = (lines.at(-1) ?? "").trim().replace(/\s+/g, " ").slice(0, 120);
      onProgress({ step: "compile", message, current: Math.min(count, expectedLines), total: expectedLines });
    };
    const result = await run("nice", ["-n", "10", "make", "-C", tree, ...args], {
      env,
      signal,
      timeoutMs,
      onStdout,
      keepBytes: 1 << 20,
    });
    if (result.code === 0) return;
    const reason = result.stderr.trim().split("\n").slice(-10).join("\n") || "no message";
    throw new UniError("build_failed", `build the lean kernel: make ${args.join(" ")}: ${reason}`);
  };
}

/** `allnoconfig` takes the fragment and says no to all else; a symbol that it silently drops would be a broken kernel later. */
async function configure(tree: string, { config }: BuildOptions, make: Make): Promise<void> {
  await writeFile(join(tree, "lean.config"), config);
  await make(["allnoconfig"], 10 * 60_000);
  const dropped = untaken(config, await readFile(join(tree, ".config"), "utf8"));
  if (dropped.length === 0) return;
  throw new UniError(
    "build_failed",
    `configure the lean kernel: this source does not take ${dropped.join(", ")}`,
  );
}
