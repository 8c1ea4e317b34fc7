/** What the steps of an instance's life share: what its machine is made of, finding it, ending it, and reaching its agent. */

import { existsSync } from "node:fs";
import { chown } from "node:fs/promises";
import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import type { Log } from "../base/log.ts";
import type { Teardown } from "../base/teardown.ts";
import type { GuestChannel, GuestConnector } from "../guest/port.ts";
import type { TerminalSize } from "../guest/terminal-size.ts";
import { ensureDirectory, removeTree } from "../host/files.ts";
import type { InstancePort, InstanceRecord } from "../instances/record.ts";
import type { AttachedRom } from "../instances/roms.ts";
import type { Attachment, Network } from "../network/port.ts";
import type { Machine, MachineSpec, Vmm } from "../vmm/port.ts";
import type { WritableLayers } from "../volumes/writable-layer.ts";
import { type Directories, uidFor } from "./directories.ts";
import { type RomDependencies, romDisks } from "./rom-contents.ts";

export interface BootableKernel {
  readonly version: string;
  readonly boot: MachineSpec["boot"];
}

export interface LifecycleDependencies extends RomDependencies {
  /** Waits until it is known what the host can do. */
  readonly vmm: () => Promise<Vmm>;
  readonly guests: GuestConnector;
  readonly network: Network;
  readonly layers: WritableLayers;
  readonly directories: Directories;
  readonly log: Log;
  readonly clock: Clock;
  /** What live instances other than this one hold on the host. */
  readonly otherAttachments: (record: InstanceRecord) => readonly Attachment[];
  /** Of every instance, stopped ones too. */
  readonly portsOfAll: () => readonly InstancePort[];
  readonly currentKernel: () => Promise<BootableKernel>;
  /** Of the version that an instance booted. */
  readonly kernelOf: (version: string) => Promise<BootableKernel>;
  /** How far the log of an instance has been stored, in the guest's own count. */
  readonly guestLogOffset: (record: InstanceRecord) => Promise<number>;
  /** What a terminal of its program begins with. */
  readonly windowOf: (record: InstanceRecord) => TerminalSize;
  /** Before and after held packets are delivered: the edge tells whoever waited for it. Never fails. */
  readonly noteWake: (id: InstanceId) => Promise<void>;
}

/** Restoring and connecting; a boot snapshot that must be made first has its own, longer deadline in the driver. */
export const connectMs = 20_000;

export interface MachineParts {
  readonly boot: MachineSpec["boot"];
  readonly rootPath: string;
  readonly roms: readonly AttachedRom[];
  /** What is on its disk goes: it begins again with what its origin had. */
  readonly anew?: boolean;
}

/** What a machine is made of; its directories are made. */
export async function machineSpec(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  { boot, rootPath, roms, anew = false }: MachineParts,
): Promise<MachineSpec> {
  const { network, layers, directories } = deps;
  const uid = uidFor(record.address);
  await ensureDirectory(directories.instance(record.id), 0o711);
  const disk = directories.disk(record.id);
  // Root's, so that a VMM that a guest took over puts nothing there for us to follow.
  await ensureDirectory(disk, 0o710);
  await chown(disk, 0, uid);
  if (anew) await layers.drop(disk);
  const writable = await layers.ensure(disk, uid, record.status.origin?.layer ?? undefined);
  return {
    id: record.id,
    directory: directories.machine(record.id),
    uid,
    shape: { vcpus: record.spec.vcpus, memoryMb: record.spec.memoryMb },
    boot,
    root: { path: rootPath, format: "raw", readOnly: true },
    writable: { path: writable, format: "qcow2", readOnly: false },
    network: network.namesFor(record.address),
    roms: await romDisks(deps, roms, record.spec.roms),
  };
}

/** What an earlier daemon, or a start that was cut off, may have left. */
export async function findMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
): Promise<Machine | undefined> {
  const directory = deps.directories.machine(record.id);
  if (!existsSync(directory)) return undefined;
  return (await deps.vmm()).adopt(directory);
}

export async function killMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  machine: Machine,
): Promise<void> {
  await machine.kill();
  await removeTree(deps.directories.machine(record.id));
}

export function connect(
  { guests, clock }: LifecycleDependencies,
  { agentSocket }: Machine,
  options: { readonly logOffset: number | "anew"; readonly ms: number; readonly signal?: AbortSignal },
): Promise<GuestChannel> {
  const { logOffset, ms, signal } = options;
  return withDeadline({ clock, ms, attempted: "reach the guest's agent", signal }, (limited) =>
    guests.connect(agentSocket, { logOffset, signal: limited }),
  );
}

/** Brings back what a start or wake that failed had done; what cannot be is in the log. */
export async function undoSteps(
  log: Log,
  undo: Teardown,
  of: { readonly instance: string; readonly what: string },
): Promise<void> {
  for (const { name, error } of await undo.run()) {
    log.error({ err: error, instance: of.instance, step: name }, `undoing ${of.what} failed`);
  }
}
