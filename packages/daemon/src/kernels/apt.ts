/** What this room asks of apt: the newest version in its index, and a package file. Where packages come from is apt's affair. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { run } from "../host/process.ts";
import type { OnProgress } from "./kernel.ts";

export interface IndexedPackage {
  readonly name: string;
  readonly version: string;
  /** Names only, without versions and alternatives. */
  readonly depends: readonly string[];
}

const packagePattern = /^[a-z0-9][a-z0-9+.-]+$/;
const versionPattern = /^[A-Za-z0-9][A-Za-z0-9+.~-]*$/;

/** The version apt would install; from its index on disk, without the network. */
export async function lookUpPackage(name: string, signal?: AbortSignal): Promise<IndexedPackage> {
  const result = await run("apt-cache", ["show", "--no-all-versions", name], {
    timeoutMs: 60_000,
    ...(signal && { signal }),
  });
  const record = result.code === 0 ? parseRecord(result.stdout.toString()) : undefined;
  if (record && versionPattern.test(record.version)) return record;
  throw new UniError("kernel_not_found", `look up ${name}: apt's package index does not have it`, {
    hint: "Run apt-get update; the apt sources must offer this package.",
  });
}

/** A meta-package's dependency whose name starts with `prefix`. */
export async function followDependency(
  meta: string,
  prefix: string,
  signal?: AbortSignal,
): Promise<IndexedPackage> {
  const { depends } = await lookUpPackage(meta, signal);
  const name = depends.find((candidate) => candidate.startsWith(prefix) && packagePattern.test(candidate));
  if (name) return lookUpPackage(name, signal);
  throw new UniError("kernel_not_found", `look up ${meta}: it does not depend on a ${prefix}… package`);
}

/** Downloads into the directory, which must be empty, and returns the file's path. apt checks the signatures. */
export async function downloadPackage(
  wanted: IndexedPackage,
  directory: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<string> {
  const what = `${wanted.name}=${wanted.version}`;
  onProgress({ step: "download", message: what, current: 0, total: 100 });
  // apt's own user may not write into the directory, and says so on every call.
  const options = ["-q", "-o", "APT::Sandbox::User=root", "-o", "APT::Status-Fd=1"];
  const result = await run("apt-get", [...options, "download", what], {
    cwd: directory,
    signal,
    timeoutMs: 15 * 60_000,
    onStdout: (chunk) => {
      for (const [, percent] of chunk.toString().matchAll(/^dlstatus:\d+:([\d.]+):/gm)) {
        onProgress({ step: "download", message: what, current: Math.floor(Number(percent)), total: 100 });
      }
    },
  });
  const file = (await readdir(directory)).find((name) => name.endsWith(".deb"));
  if (result.code === 0 && file) return join(directory, file);
  throw downloadError(what, result.stderr);
}

export function downloadError(what: string, stderr: string): UniError {
  const reason = stderr.trim().split("\n").slice(-5).join("\n") || "no message";
  const message = `download ${what}: ${reason}`;
  if (/no space left|enough free space/i.test(stderr)) return new UniError("no_space", message);
  if (/can't find a source|unable to locate|404 +not found/i.test(stderr)) {
    return new UniError("kernel_not_found", message, {
      hint: "Run apt-get update: apt's package index is old.",
    });
  }
  return new UniError("unreachable", message, {
    hint: "The machine needs its apt sources for this; kernels in the cache work without them.",
  });
}

export function parseRecord(text: string): IndexedPackage | undefined {
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(text)?.[1]?.trim();
  const [name, version] = [field("Package"), field("Version")];
  if (!name || !version) return undefined;
  const depends = (field("Depends") ?? "").split(",").map((item) => item.trim().split(/[\s(|:]/)[0] ?? "");
  return { name, version, depends: depends.filter(Boolean) };
}
