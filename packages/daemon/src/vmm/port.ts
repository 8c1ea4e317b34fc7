/**
 * What a virtual machine monitor must do for Uni. Two drivers fulfil it: `qemu/` and `fake/`; `conformance.ts` runs on both.
 *
 * Words: a *shape* is what a boot snapshot depends on besides kernel and accelerator. A *machine* is one VMM process.
 *
 * Life of a machine: `start` restores the boot snapshot of (kernel, accelerator, shape) with this machine's disks and
 * network and lets it run; the agent then answers on `agentSocket` and waits for its configuration. A guest that halts,
 * resets or panics leaves the process behind, paused, so that `lastWords` can be read even by a daemon that was away;
 * `kill` ends it. The process belongs to nobody: it lives on when the daemon dies, and `adopt` finds it again by what
 * `start` left in `directory`.
 *
 * Sleep: `suspend` writes what a paused machine wrote since its boot snapshot, and its devices, into a directory; after
 * `kill` and any time later `resume` makes a new process of it, which stands still, with all as it was. The directory is
 * complete or not there. It stands on the boot snapshot, which the driver keeps for as long as the directory is there.
 * Nobody may talk to the agent from the begin of `suspend` to its end. Crashes of the host are not guarded against by
 * syncing: `checkSnapshot` tells files that they cut.
 *
 * Capture: a snapshot of a machine that goes on, with its disk (decision 0016). `capture` copies what can be copied while the
 * machine runs; then, paused, `take` makes it complete and switches the machine to `nextDisk`; `publish` renames the directory
 * into its place. Somebody may talk to the agent all along: what was on its way is part of nothing. `resume` makes any
 * number of machines of it, each with another `MachineSpec`; only the shape is the snapshot's. Such a machine, and what is
 * suspended or captured of it, may stand on the directory that it came from: `snapshotFacts` says so, and who keeps the
 * one keeps the other.
 *
 * An implementer may not: keep state outside `directory` and the boot cache; wait for ever; run the VMM with privileges.
 */
import type { ProcessIdentity } from "../host/process-identity.ts";

export type Accelerator = "kvm" | "tcg" | "fake";

export interface MachineShape {
  readonly vcpus: number;
  readonly memoryMb: number;
}

/** Files of a kernel bundle that the VMM boots; `id` is a digest over both files. */
export interface BootFiles {
  readonly id: string;
  readonly kernelPath: string;
  readonly initramfsPath: string;
}

export interface DiskSpec {
  readonly path: string;
  readonly format: "raw" | "qcow2";
  readonly readOnly: boolean;
}

/**
 * A read-only disk of the guest's SCSI controller. The guest knows it by its slot, from 0 to `maxRomSlots` - 1. In a resumed
 * machine a slot must hold what it held when the snapshot was made, until the guest has been told that it is not in use: what
 * is replaced gets another slot.
 */
export interface RomSpec {
  readonly slot: number;
  /** Raw, of whole 512-byte sectors. */
  readonly path: string;
}

export const maxRomSlots = 16;

export interface MachineSpec {
  /** The instance's uuid; shown in the process list. */
  readonly id: string;
  /** Private to this machine; the driver puts sockets, pid file and its own record here. */
  readonly directory: string;
  /** Unprivileged user and group of the VMM process. */
  readonly uid: number;
  readonly shape: MachineShape;
  readonly boot: BootFiles;
  /** EROFS image, shared by all machines of the image. */
  readonly root: DiskSpec;
  /** ext4 on a qcow2 overlay. */
  readonly writable: DiskSpec;
  readonly network: { readonly tap: string; readonly mac: string };
  /** Not a part of the shape: any number of them at each start and resume. */
  readonly roms: readonly RomSpec[];
}

export interface MachineTimings {
  /** Microseconds from the call until the VMM process answered, had loaded the snapshot, and was running. */
  readonly startUs: number;
  readonly loadUs: number;
  readonly readyUs: number;
}

export type MachineExit =
  /** The guest halted or reset itself; the process is still there, paused. */
  | { readonly kind: "guest-shutdown" }
  /** The guest kernel panicked; the process is still there, paused. */
  | { readonly kind: "guest-panic" }
  /** The VMM process is gone without our asking. */
  | { readonly kind: "vmm-died" }
  /** `kill` ended it. */
  | { readonly kind: "killed" };

export interface Machine {
  readonly process: ProcessIdentity;
  /** Unix socket of the agent channel; one client at a time. */
  readonly agentSocket: string;
  readonly accelerator: Accelerator;
  /** Undefined on an adopted machine. */
  readonly timings: MachineTimings | undefined;
  /** Resolves at the first of the exits; never rejects. */
  readonly exited: Promise<MachineExit>;
  /** By `pause`, by `Vmm.resume` or by an earlier daemon. */
  readonly paused: boolean;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Writes a snapshot of the paused machine aside and renames it to `directory`, in place of an earlier one. The machine
   * stays paused and can go on. `bytes` is what it takes on the disk. `no_space` if that is full; `wrong_state` unless
   * paused. After a failure or an abort there is nothing new on the disk, and an earlier snapshot is untouched.
   */
  suspend(directory: string, signal: AbortSignal): Promise<{ readonly bytes: number }>;
  /** Begins a capture; one at a time (`wrong_state`). The machine may run or stand. Errors as of `suspend`. */
  capture(target: CaptureTarget, signal: AbortSignal): Promise<Capture>;
  /**
   * Copies into the disk that the machine writes, at `path`, what lies between it and `onto`, a layer that it stands on; then it
   * stands on that. The machine may run or stand, and goes on meanwhile; not while it is captured. What a failure, an abort or
   * a crash leaves shows the same, over the layers of before or over `onto`. Errors as of `suspend`.
   */
  foldDisk(disk: { readonly path: string; readonly onto: string }, signal: AbortSignal): Promise<void>;
  /** Ends the process at once and waits until it is reaped; harmless when it is gone. */
  kill(): Promise<void>;
  /** The end of the kernel's console, at most 64 KiB. */
  lastWords(): Promise<string>;
  /** Host memory and CPU of the process; undefined when it is gone. */
  usage(): Promise<{ readonly rssBytes: number; readonly cpuTimeMs: number } | undefined>;
  /** Closes this handle and leaves the process running. */
  release(): Promise<void>;
}

export interface CaptureTarget {
  /** Made by `publish`; nothing is there before. */
  readonly directory: string;
  /** Name of what the machine writes to until `take`; kept with the snapshot for its owner, and not looked at. */
  readonly disk: string;
  /** An empty overlay over the file that the machine writes to; the machine's user owns it. */
  readonly nextDisk: DiskSpec;
}

export interface Capture {
  /**
   * Once. The machine is paused and stays so. From its return on it writes to `nextDisk` alone. If it fails, the machine
   * is as before, with its old disk, and the capture is to be abandoned. `onRead`: memory and devices are read, which is
   * most of the work.
   */
  take(signal: AbortSignal, onRead?: () => void): Promise<void>;
  /**
   * After `take`, whatever the machine does meanwhile, its end too. `bytes` is what the directory takes on the host's
   * disk. If it fails or is aborted there is no directory, and it may be tried again.
   */
  publish(signal: AbortSignal): Promise<{ readonly bytes: number }>;
  /** Removes what is not published; harmless afterwards. */
  abandon(): Promise<void>;
}

/**
 * "corrupt": a file of it, or what it stands on, is not what it was. "unfit": it is whole, and this host cannot run it any
 * more. The reason is a clause for an error: "it was made by QEMU 7.2.1, and this is QEMU 8.2.0".
 */
export type SnapshotHealth =
  | { readonly state: "good" | "missing" }
  | { readonly state: "corrupt" | "unfit"; readonly reason: string };

export interface SnapshotFacts {
  /** As of its `CaptureTarget`; undefined of a `suspend`. */
  readonly disk: string | undefined;
  /** Directory of the capture whose memory it stands on. */
  readonly standsOn: string | undefined;
}

export interface Vmm {
  readonly name: string;
  readonly accelerator: Accelerator;
  readonly version: string;
  /** Makes the boot snapshot if there is none; concurrent calls for one key share the work, across daemons too. */
  prepare(boot: BootFiles, shape: MachineShape, signal: AbortSignal): Promise<void>;
  /**
   * Removes boot snapshots that nothing stands on: the oldest that are over the bound, or all that are not in use at this
   * moment. They are made again when they are needed. Returns the bytes that are free again.
   */
  trimCache(what: { readonly all: boolean }): Promise<number>;
  start(spec: MachineSpec, signal: AbortSignal): Promise<Machine>;
  /**
   * A paused machine with memory and devices as they were at `suspend`; `Machine.resume` lets it run. The snapshot stays:
   * its names may go once this resolved. Of a `suspend`, `spec` is the one that it was suspended with, and a second machine
   * fails for the writable disk, here or at its `Machine.resume`. Of a `capture`, `spec` is another machine's, its writable
   * disk an overlay over the one that was captured. Rejects with `wrong_state` unless the snapshot is good.
   */
  resume(spec: MachineSpec, snapshotDirectory: string, signal: AbortSignal): Promise<Machine>;
  checkSnapshot(directory: string): SnapshotHealth;
  /** Cheap, and without a look at its content; undefined if there is nothing that can be read. */
  snapshotFacts(directory: string): SnapshotFacts | undefined;
  /** The machine, running or paused, that an earlier daemon left in `directory`, or undefined; leftovers of a dead one are removed. */
  adopt(directory: string): Promise<Machine | undefined>;
  /** What was made ready for the next machine goes; those that run go on. Ends with this process in any case. */
  close(): void;
}
