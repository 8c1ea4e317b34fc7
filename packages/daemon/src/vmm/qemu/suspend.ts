/** Writes what a paused machine needs to be resumed by another process: see sleep-snapshot.ts for the files. */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, rmSync } from "node:fs";
import { mkdir, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { toUniError, UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { removeTree } from "../../host/files.ts";
import { runOk } from "../../host/process.ts";
import type { MachineShape } from "../port.ts";
import { hasLeases, takeLease } from "./boot-leases.ts";
import type { BootSnapshotId } from "./boot-snapshot.ts";
import type { Qmp } from "./qmp.ts";
import { asidePrefix, type MachinePlaces, removeAsides } from "./record.ts";
import {
  crc32OfFile,
  letOthersRun,
  type MadeBy,
  type SleepSnapshotFiles,
  type SleepSnapshotMeta,
  sha256OfFile,
  sleepMetaText,
  sleepSnapshotFiles,
} from "./sleep-snapshot.ts";

export interface Suspension {
  readonly clock: Clock;
  readonly id: string;
  readonly pid: number;
  readonly places: MachinePlaces;
  /** What QEMU calls the file of its devices. */
  readonly devicesName: string;
  readonly shape: MachineShape;
  readonly base: BootSnapshotId;
  readonly bootDirectory: string;
  readonly nativeDirectory: string;
  /** The index of the snapshot that the machine was suspended to and resumed from: its pages are the machine's own. */
  readonly oldIndex: string | undefined;
  readonly madeBy: MadeBy;
  readonly mac: string;
  readonly romSlots: readonly number[];
  /** Directory of the capture that it stands on. */
  readonly origin: string | undefined;
}

/** Devices are some 10 KB; more than this is not what we asked for. */
const mostStateBytes = 16 << 20;
const copyDeadlineMs = 120_000;

export async function writeSleepSnapshot(
  suspension: Suspension,
  qmp: Qmp,
  directory: string,
  signal: AbortSignal,
): Promise<{ readonly bytes: number }> {
  signal.throwIfAborted();
  removeAsides(suspension.places);
  const aside = join(suspension.places.directory, `${asidePrefix}${randomBytes(3).toString("hex")}`);
  const files = sleepSnapshotFiles(aside);
  try {
    await mkdir(aside, { mode: 0o700 });
    keepBootSnapshot(suspension, sleepSnapshotFiles(directory).meta);
    await writeFile(files.state, await saveDevices(qmp, suspension), { mode: 0o600 });
    await copyPages(suspension, files, signal);
    await writeMeta(suspension, files, { directory, standsOn: suspension.origin }, signal);
    const bytes = await allocatedBytes(Object.values(files));
    signal.throwIfAborted();
    await replaceDirectory(aside, directory);
    hasLeases(suspension.bootDirectory);
    return { bytes };
  } catch (error) {
    signal.throwIfAborted();
    throw snapshotError(`suspend machine ${suspension.id} to ${directory}`, error);
  } finally {
    await removeTree(aside);
    await rm(suspension.places.devices, { force: true });
  }
}

/** Before anything depends on it. A lease for a snapshot that then fails holds nothing. */
export function keepBootSnapshot({ bootDirectory }: Suspension, holder: string): void {
  try {
    takeLease(bootDirectory, holder);
  } catch (cause) {
    throw new UniError("vmm_failed", `keep the boot snapshot ${bootDirectory}: it cannot be leased`, {
      hint: "Stop the instance and start it again.",
      cause,
    });
  }
}

/** Not live: disks stay active, so that the machine can go on. */
export const savingDevices = (filename: string) => ({
  execute: "xen-save-devices-state",
  arguments: { filename, live: false },
});

/** QEMU can write into its own directory only. What lies there is its user's: no link is followed, no pipe waited for. */
export async function saveDevices(
  qmp: Qmp,
  { places: { run, devices }, devicesName }: Suspension,
): Promise<Buffer> {
  rmSync(devices, { recursive: true, force: true });
  try {
    const { execute, arguments: args } = savingDevices(devicesName);
    await qmp.execute(execute, args);
  } catch (error) {
    throw (await isFull(run))
      ? new UniError("no_space", `write ${devices}: the disk is full`, { cause: error })
      : error;
  }
  const file = openSync(devices, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(file);
    if (!fstatSync(file).isFile() || size === 0 || size > mostStateBytes) {
      throw new UniError("vmm_failed", `read ${devices}: it holds no device state`);
    }
    const state = Buffer.alloc(size);
    return state.subarray(0, readSync(file, state));
  } finally {
    closeSync(file);
  }
}

/** When it cannot save its devices, QEMU says no more than "An IO error has occurred". */
async function isFull(run: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(run);
  return bavail * bsize <= mostStateBytes;
}

async function copyPages(
  { nativeDirectory, pid, shape, oldIndex }: Suspension,
  { delta, index }: SleepSnapshotFiles,
  signal: AbortSignal,
): Promise<void> {
  // Made here and not by the helper: one that is killed can then add nothing to a directory that is being removed.
  for (const path of [delta, index]) await writeFile(path, "", { mode: 0o600, flag: "wx" });
  const args = [`${pid}`, `${shape.memoryMb * 2 ** 20}`, delta, index];
  if (oldIndex !== undefined) args.push(oldIndex);
  await runOk(join(nativeDirectory, "delta"), args, { signal, timeoutMs: copyDeadlineMs });
}

export interface Described {
  readonly directory: string;
  readonly disk?: string;
  readonly standsOn: string | undefined;
}

/** Once all other files are complete. */
export async function writeMeta(
  { clock, base, shape, madeBy, mac, romSlots }: Suspension,
  { state, index, delta, meta: path }: SleepSnapshotFiles,
  { directory, disk, standsOn }: Described,
  signal: AbortSignal,
): Promise<void> {
  const meta: SleepSnapshotMeta = {
    ...{ base, shape, madeBy, mac, romSlots },
    ...(disk !== undefined && { disk }),
    ...(standsOn !== undefined && { standsOn: relative(directory, standsOn) }),
    stateSha256: sha256OfFile(state),
    indexSha256: sha256OfFile(index),
    deltaBytes: (await stat(delta)).size,
    deltaCrc32: await letOthersRun(crc32OfFile(delta), clock, signal),
  };
  await writeFile(path, sleepMetaText(meta), { mode: 0o600 });
}

export async function allocatedBytes(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map((path) => stat(path)));
  return sizes.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

/** A crash in between leaves no snapshot, and a machine that still lives. */
async function replaceDirectory(aside: string, directory: string): Promise<void> {
  const old = `${aside}.old`;
  await rename(directory, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(aside, directory);
  await removeTree(old);
}

export function snapshotError(attempted: string, error: unknown): UniError {
  const { code, message, hint } = toUniError(error, "write the snapshot");
  if (code === "no_space" || /ENOSPC|No space left on device/.test(message)) {
    return new UniError("no_space", `${attempted}: the disk is full`, {
      hint: "Make room on the disk of the data directory.",
      cause: error,
    });
  }
  return new UniError(
    code === "internal" || code === "failed" ? "vmm_failed" : code,
    `${attempted}: ${message}`,
    {
      cause: error,
      ...(hint !== undefined && { hint }),
    },
  );
}
