/**
 * Which accelerator works here. /dev/kvm may open, create machines and still not run a guest, so KVM is believed only
 * after a real guest's agent answered. The verdict is kept until something that matters changes.
 */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { withFileLock } from "../../host/file-lock.ts";
import { ensureDirectory, readTextIfExists, removeTree, writeFileAtomic } from "../../host/files.ts";
import type { BootFiles } from "../port.ts";
import { hostArchitecture, type RealAccelerator } from "./architecture.ts";
import { type BootingGuest, bootGuest } from "./boot-guest.ts";
import { deadline } from "./deadline.ts";
import { qemuVersion } from "./driver.ts";
import { findNativeDirectory, hostFacts } from "./host-facts.ts";
import { kvmAccess, kvmDevice } from "./kvm-device.ts";

export interface ProbeOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly cacheDirectory: string;
  readonly boot: BootFiles;
  readonly qemuPath?: string;
  readonly nativeDirectory?: string;
  /** Default: /dev/kvm. */
  readonly device?: string;
  readonly awaitBooted: (agentSocket: string, signal: AbortSignal) => Promise<void>;
}

export interface Verdict {
  readonly accelerator: RealAccelerator;
  /** For `uni doctor`: one sentence. */
  readonly reason: string;
}

/** A guest that has not printed a byte by then never will. */
const firstByteMs = 2_000;
/** A guest that prints may be slow because the host is busy. */
const bootedMs = 15_000;
/** For another daemon that probes at the same time. */
const lockMs = 60_000;
/** Of the reasons; a verdict that was kept in other words is found again. */
const wording = "3";

export async function probeAccelerator(options: ProbeOptions): Promise<Verdict> {
  const device = options.device ?? kvmDevice;
  const access = kvmAccess(device);
  if (access.for === "none") return { accelerator: "tcg", reason: `there is no ${device}` };
  if (access.for === "root") {
    const way = `chgrp kvm ${device} && chmod 660 ${device}`;
    return {
      accelerator: "tcg",
      reason: `only root may open ${device}, and machines are not root's: ${way}`,
    };
  }
  const program = options.qemuPath ?? hostArchitecture().program;
  const key = [wording, release(), await qemuVersion(program), options.boot.id].join(" | ");
  const path = join(options.cacheDirectory, "accelerator.json");
  const kept = parseVerdict(await readTextIfExists(path), key);
  if (kept) return kept;
  await ensureDirectory(options.cacheDirectory, 0o755);
  const limit = deadline(options.clock, lockMs, "probe KVM");
  const lock = { clock: options.clock, signal: limit.signal };
  try {
    return await withFileLock(join(options.cacheDirectory, "accelerator.lock"), lock, async () => {
      const other = parseVerdict(await readTextIfExists(path), key);
      if (other) return other;
      await removeLeftovers(options.cacheDirectory);
      const verdict = await tryKvm(options, program);
      options.log.info({ ...verdict }, "accelerator probed");
      await writeFileAtomic(path, `${JSON.stringify({ key, ...verdict })}\n`, 0o644);
      return verdict;
    });
  } finally {
    limit.cancel();
  }
}

/** Of probes whose daemon was killed; their guests died with it. To be called by the holder of the lock. */
async function removeLeftovers(cacheDirectory: string): Promise<void> {
  for (const name of readdirSync(cacheDirectory)) {
    if (/^probe-[0-9a-f]{8}$/.test(name)) await removeTree(join(cacheDirectory, name));
  }
}

async function tryKvm(options: ProbeOptions, program: string): Promise<Verdict> {
  const { clock, cacheDirectory } = options;
  const architecture = hostArchitecture();
  const nativeDirectory = options.nativeDirectory ?? findNativeDirectory();
  const directory = join(cacheDirectory, `probe-${randomBytes(4).toString("hex")}`);
  const limit = new AbortController();
  const give = (why: string) => limit.abort(new Error(why));
  const cancel = clock.after(bootedMs, () => give("its agent did not answer"));
  let guest: BootingGuest | undefined;
  const cancelFirst = clock.after(firstByteMs, () => {
    void (async () => {
      if (guest === undefined || (await guest.console()) === "") give("it did not print a byte");
    })().catch(() => {});
  });
  try {
    guest = await bootGuest(
      {
        ...options,
        architecture,
        program,
        accelerator: "kvm",
        nativeDirectory,
        shape: { vcpus: 1, memoryMb: 256 },
        // Not quiet: the first byte shows that the guest runs.
        kernelArguments: [
          "earlyprintk=ttyS0",
          ...(await architecture.kernelArguments("kvm", hostFacts(cacheDirectory, nativeDirectory))),
        ],
        directory,
      },
      limit.signal,
    );
    await guest.booted(limit.signal);
    return { accelerator: "kvm", reason: "a guest booted under KVM" };
  } catch (error) {
    const why = limit.signal.aborted ? limit.signal.reason : error;
    options.log.warn({ err: why }, "a guest was tried under KVM and failed");
    return { accelerator: "tcg", reason: "KVM is there, but a guest that was tried did not boot under it" };
  } finally {
    cancel();
    cancelFirst();
    await guest?.kill();
    await removeTree(directory);
  }
}

function parseVerdict(text: string | undefined, key: string): Verdict | undefined {
  if (text === undefined) return undefined;
  try {
    const kept = JSON.parse(text) as Verdict & { readonly key: string };
    if (kept.key !== key || (kept.accelerator !== "kvm" && kept.accelerator !== "tcg")) return undefined;
    return { accelerator: kept.accelerator, reason: kept.reason };
  } catch {
    return undefined;
  }
}
