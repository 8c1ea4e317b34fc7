/**
 * What a machine leaves in its directory so that a later daemon finds it. Root owns the directory; the VMM's user owns
 * `run/` only, so a VMM that a guest took over cannot make us signal a stranger.
 *
 * The record is written before the process is started, again with its identity, and again once the guest runs. A daemon
 * that dies in between leaves a record without identity: the process is then found by its arguments.
 */
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { readBootId } from "../../host/boot-id.ts";
import { findProcesses } from "../../host/find-process.ts";
import { isAlive, type ProcessIdentity } from "../../host/process-identity.ts";
import { writeRecord } from "../../host/write-record.ts";
import type { Accelerator, MachineShape } from "../port.ts";
import type { RealAccelerator } from "./architecture.ts";
import type { BootSnapshotId } from "./boot-snapshot.ts";
import { qmpChardev } from "./command-line.ts";

export interface MachineRecord {
  readonly id: string;
  readonly bootId: string;
  readonly uid: number;
  readonly accelerator: Extract<Accelerator, RealAccelerator>;
  readonly phase: "starting" | "running";
  readonly shape: MachineShape;
  /** What its memory stands on. */
  readonly base: BootSnapshotId;
  /** Directory of the capture that it stands on too. */
  readonly origin?: string;
  readonly mac: string;
  /** Of all ROM disks that it has, empty ones too. */
  readonly romSlots: readonly number[];
  readonly process?: ProcessIdentity;
}

export interface MachinePlaces {
  readonly directory: string;
  readonly run: string;
  readonly qmp: string;
  readonly agent: string;
  /** Sockets for what a capture sends ahead; see native/vmm/capture.c. */
  readonly ahead: { readonly save: string; readonly disk: string };
  readonly record: string;
  readonly state: string;
  /** Of the snapshot that the machine was resumed from; none if it was started. */
  readonly index: string;
  /** Where QEMU writes its devices. */
  readonly devices: string;
  readonly log: string;
  readonly console: string;
}

/** Snapshots that are being written: beside the machine, so that what a daemon left half-way goes with it at the latest. */
export const asidePrefix = "aside-";

/** Longest path of a unix socket (unix(7)). */
const longestSocketPath = 107;

export function placesIn(directory: string): MachinePlaces {
  const run = join(directory, "run");
  return {
    directory,
    run,
    qmp: join(run, "qmp"),
    agent: join(run, "agent"),
    ahead: { save: join(run, "save"), disk: join(run, "disk") },
    record: join(directory, "machine.json"),
    state: join(directory, "state"),
    index: join(directory, "index"),
    devices: join(run, "devices"),
    log: join(directory, "qemu.log"),
    console: join(directory, "console"),
  };
}

/** Makes the directories; `run` is the user's own, and he may pass through the other. */
export function makePlaces(directory: string, uid: number): MachinePlaces {
  const places = placesIn(directory);
  if (Buffer.byteLength(places.agent) > longestSocketPath) {
    throw new UniError("host_unfit", `make the socket ${places.agent}: its path is too long`, {
      hint: "Choose a data directory with a shorter path.",
    });
  }
  mkdirSync(directory, { recursive: true, mode: 0o710 });
  chownSync(directory, 0, uid);
  mkdirSync(places.run, { recursive: true, mode: 0o700 });
  chownSync(places.run, uid, uid);
  return places;
}

export function saveRecord({ record: path }: MachinePlaces, record: MachineRecord): void {
  writeRecord(path, `${JSON.stringify(record)}\n`);
}

/** Undefined if there is none, or one of another boot of the host, or one that nobody can read. */
export function loadRecord({ record: path }: MachinePlaces): MachineRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, "utf8")) as MachineRecord;
    return record.bootId === readBootId() ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The machine's process if it lives. */
export function findMachineProcess(
  places: MachinePlaces,
  record: MachineRecord,
): ProcessIdentity | undefined {
  if (record.process) return isAlive(record.process) ? record.process : undefined;
  return findProcesses(identifyingArgument(places))[0];
}

/** An argument that no other process has; see the command line. */
export const identifyingArgument = ({ qmp }: MachinePlaces): string => qmpChardev(qmp);

/** Of a daemon that died meanwhile. */
export function removeAsides({ directory }: MachinePlaces): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    if (name.startsWith(asidePrefix)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

export function removePlaces(places: MachinePlaces): void {
  removeAsides(places);
  for (const path of [places.run, places.state, places.index, places.log, places.console]) {
    rmSync(path, { recursive: true, force: true });
  }
  // Last: a crash before leaves a record whose process is dead, and this is done again.
  rmSync(places.record, { force: true });
}
