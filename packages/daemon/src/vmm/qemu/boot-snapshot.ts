/**
 * Boot snapshots: `<cache>/boot/<key>/` with `ram` (sparse, mapped privately by every machine), `state` (devices) and
 * `meta.json`. Made aside by one process at a time, renamed when complete, never changed; daemons share the cache.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { basename, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Log } from "../../base/log.ts";
import { withFileLock } from "../../host/file-lock.ts";
import { ensureDirectory, removeTree, writeFileAtomic } from "../../host/files.ts";
import { runOk } from "../../host/process.ts";
import type { BootFiles, MachineShape } from "../port.ts";
import { trimBootCache } from "./boot-cache.ts";
import { type BootGuestOptions, bootGuest } from "./boot-guest.ts";
import { layoutVersion, placeholderMac } from "./command-line.ts";
import { deadline, untilAborted } from "./deadline.ts";

/** A snapshot that is made again under its key has other memory, and another state: clocks are in it. */
export interface BootSnapshotId {
  readonly key: string;
  readonly stateSha256: string;
}

export interface BootSnapshot extends BootSnapshotId {
  readonly ramPath: string;
  /** Devices, with the placeholder of the MAC address. */
  readonly state: Buffer;
  readonly macOffsets: readonly number[];
}

export interface BootSnapshotsOptions
  extends Pick<
    BootGuestOptions,
    | "clock"
    | "architecture"
    | "program"
    | "accelerator"
    | "nativeDirectory"
    | "kernelArguments"
    | "awaitBooted"
  > {
  readonly log: Log;
  readonly cacheDirectory: string;
  readonly maxBytes: number;
  readonly version: string;
  /** Differs between processors that cannot share a snapshot; empty where none matters. */
  readonly hostCpu: string;
}

interface Meta {
  readonly ramBytes: number;
  readonly stateSha256: string;
  readonly macOffsets: readonly number[];
}

/** A boot takes seconds under TCG; this is for a host that is overloaded. */
const bootDeadlineMs = 120_000;

export interface BootSnapshots {
  /** Makes it if there is none. Concurrent calls share the work; a caller's abort ends its waiting, not the work. */
  get(boot: BootFiles, shape: MachineShape, signal: AbortSignal): Promise<BootSnapshot>;
  /** That very one, or undefined if it is gone, damaged or made again. */
  find(id: BootSnapshotId): BootSnapshot | undefined;
  directoryOf(id: Pick<BootSnapshotId, "key">): string;
  /** As `Vmm.trimCache`. */
  trim(options: { readonly all: boolean }): Promise<number>;
}

export function createBootSnapshots(options: BootSnapshotsOptions): BootSnapshots {
  const { cacheDirectory, clock, log, maxBytes } = options;
  const root = join(cacheDirectory, "boot");
  const making = new Map<string, Promise<BootSnapshot>>();

  async function trim(bound: number): Promise<number> {
    const freed = await trimBootCache(root, { now: clock.now(), maxBytes: bound });
    if (freed > 0) log.info({ freed }, "boot snapshots that nothing stands on removed");
    return freed;
  }

  async function make(key: string, boot: BootFiles, shape: MachineShape): Promise<BootSnapshot> {
    await ensureDirectory(cacheDirectory, 0o755);
    await ensureDirectory(root, 0o755);
    const limit = deadline(clock, bootDeadlineMs, `make the boot snapshot of kernel ${boot.id}`);
    const lock = { clock, signal: limit.signal };
    try {
      return await withFileLock(join(root, `${key}.lock`), lock, async () => {
        const there = readSnapshot(join(root, key));
        if (there) return there;
        for (const name of readdirSync(root)) {
          const isLeft = name.startsWith(`${key}.aside-`) && isOld(join(root, name), clock.now());
          if (name === key || isLeft) await removeTree(join(root, name));
        }
        const startUs = clock.monotonicUs();
        const aside = join(root, `${key}.aside-${randomBytes(3).toString("hex")}`);
        try {
          await bootInto(options, aside, boot, shape, limit.signal);
          renameUnlessThere(aside, join(root, key));
        } finally {
          await removeTree(aside);
        }
        const ms = Math.round((clock.monotonicUs() - startUs) / 1000);
        log.info({ key, kernel: boot.id, ...shape, ms }, "boot snapshot made");
        const made = readSnapshot(join(root, key));
        await trim(maxBytes);
        if (made) return made;
        throw new UniError("vmm_failed", `make the boot snapshot ${key}: it cannot be read back`);
      });
    } finally {
      limit.cancel();
    }
  }

  return {
    async get(boot, shape, signal) {
      signal.throwIfAborted();
      const key = snapshotKey(options, boot, shape);
      const there = readSnapshot(join(root, key));
      if (there) {
        markUsed(join(root, key), clock.now());
        return there;
      }
      const running = making.get(key) ?? make(key, boot, shape).finally(() => making.delete(key));
      making.set(key, running);
      return untilAborted(running, signal);
    },
    find({ key, stateSha256 }) {
      const there = readSnapshot(join(root, key));
      if (there?.stateSha256 !== stateSha256) return undefined;
      markUsed(join(root, key), clock.now());
      return there;
    },
    directoryOf: ({ key }) => join(root, key),
    trim: ({ all }) => trim(all ? 0 : maxBytes),
  };
}

function snapshotKey(options: BootSnapshotsOptions, boot: BootFiles, shape: MachineShape): string {
  const { version, accelerator, architecture, kernelArguments, hostCpu } = options;
  const parts = [
    layoutVersion,
    boot.id,
    version,
    accelerator,
    architecture.machine,
    architecture.cpu[accelerator],
    hostCpu,
    kernelArguments,
    shape.vcpus,
    shape.memoryMb,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

/** Undefined if there is none or it is damaged: then it is made again. Cheap: the RAM file is judged by its size. */
function readSnapshot(directory: string): BootSnapshot | undefined {
  try {
    const meta = JSON.parse(readFileSync(join(directory, "meta.json"), "utf8")) as Meta;
    const ramPath = join(directory, "ram");
    const state = readFileSync(join(directory, "state"));
    const good =
      statSync(ramPath).size === meta.ramBytes &&
      sha256(state) === meta.stateSha256 &&
      meta.macOffsets.length > 0 &&
      meta.macOffsets.every((offset) => macOffsets(state).includes(offset));
    const { stateSha256 } = meta;
    return good
      ? { key: basename(directory), stateSha256, ramPath, state, macOffsets: meta.macOffsets }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Nobody works on it any more. The lock does not tell: it cannot see who lives in another PID namespace. */
const isOld = (aside: string, now: number): boolean =>
  now - (statSync(aside, { throwIfNoEntry: false })?.mtimeMs ?? now) > bootDeadlineMs;

/** Whoever was as quick, in another PID namespace, made as good a one. */
function renameUnlessThere(aside: string, directory: string): void {
  try {
    renameSync(aside, directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY" || !readSnapshot(directory)) throw error;
  }
}

/** The marker's time of change says when a start used the snapshot last. */
function markUsed(directory: string, now: number): void {
  try {
    utimesSync(join(directory, "meta.json"), new Date(now), new Date(now));
  } catch {
    // Removed by another daemon at this moment: the files that were read stay good.
  }
}

async function bootInto(
  options: BootSnapshotsOptions,
  directory: string,
  boot: BootFiles,
  shape: MachineShape,
  signal: AbortSignal,
): Promise<void> {
  const ramPath = join(directory, "ram");
  const statePath = join(directory, "state");
  const guest = await bootGuest({ ...options, boot, shape, directory }, signal);
  try {
    await guest.booted(signal);
    await guest.qmp.execute("stop");
    await guest.qmp.execute("xen-save-devices-state", { filename: statePath, live: false }, 30_000);
  } finally {
    // RAM is a shared mapping of the file: it is complete once the process is gone.
    await guest.kill();
  }
  const state = readFileSync(statePath);
  // The device's address; and its configuration space as the guest read it last, where a driver was bound before.
  const offsets = macOffsets(state);
  if (offsets.length < 1 || offsets.length > 2) {
    throw new UniError(
      "vmm_failed",
      `make the boot snapshot of kernel ${boot.id}: ${offsets.length} MAC addresses in its state`,
    );
  }
  // Pages that the guest zeroed hold nothing.
  await runOk("fallocate", ["--dig-holes", ramPath], { signal });
  const meta: Meta = { ramBytes: shape.memoryMb * 2 ** 20, stateSha256: sha256(state), macOffsets: offsets };
  for (const name of readdirSync(directory)) {
    if (name !== "ram" && name !== "state") rmSync(join(directory, name));
  }
  for (const path of [ramPath, statePath]) seal(path);
  chownSync(directory, 0, 0);
  chmodSync(directory, 0o755);
  await writeFileAtomic(join(directory, "meta.json"), `${JSON.stringify(meta)}\n`, 0o444);
}

/** From here on it is root's, and nobody's to write. */
function seal(path: string): void {
  chownSync(path, 0, 0);
  chmodSync(path, 0o444);
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}

const placeholder = macBytes(placeholderMac);

function macBytes(mac: string): Buffer {
  const bytes = Buffer.from(mac.replaceAll(":", ""), "hex");
  if (bytes.length === 6) return bytes;
  throw new UniError("invalid_value", `start a machine with the MAC address ${mac}: it is not one`);
}

function macOffsets(state: Buffer, mac = placeholder): number[] {
  const offsets: number[] = [];
  for (let at = state.indexOf(mac); at >= 0; at = state.indexOf(mac, at + 1)) offsets.push(at);
  return offsets;
}

/** The snapshot's devices with this machine's own MAC address: the guest's driver reads it when it is bound. */
export function stateFor({ state, macOffsets }: BootSnapshot, mac: string): Buffer {
  const bytes = macBytes(mac);
  const own = Buffer.from(state);
  for (const offset of macOffsets) bytes.copy(own, offset);
  return own;
}

/**
 * The devices of a machine that ran, with another MAC address. Where its guest chose an address of its own, there is
 * nothing to replace: the guest is asked to change it.
 */
export function withAddress(state: Buffer, from: string, to: string): Buffer {
  const own = Buffer.from(state);
  for (const offset of macOffsets(state, macBytes(from))) macBytes(to).copy(own, offset);
  return own;
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
