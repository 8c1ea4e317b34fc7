/** The steps of a capture for one instance of a set. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { HeldInstance } from "../instances/held.ts";
import { knownImage } from "../instances/media.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Capture, Machine } from "../vmm/port.ts";
import { nextName, overlayName } from "../volumes/disk-layers.ts";
import { attachmentOf } from "./attachments.ts";
import type { CaptureDependencies, Captured, Steps } from "./capture-set.ts";
import { uidFor } from "./directories.ts";
import { findMachine, killMachine, type LifecycleDependencies, machineSpec } from "./machine.ts";
import { memoryOf } from "./start-from-snapshot.ts";

export interface CaptureSource {
  readonly held: HeldInstance;
  readonly record: InstanceRecord;
  /** Undefined: its disk is all there is. */
  readonly machine: Machine | undefined;
  /** It is to go on afterwards. */
  readonly runs: boolean;
}

export interface BegunCapture extends CaptureSource {
  readonly id: string;
  readonly layer: string | null;
  readonly capture: Capture | undefined;
}

/** The machine of an instance, as it is; for one that sleeps on disk a process of its own, which runs nothing. */
export async function openSource(
  deps: LifecycleDependencies,
  held: HeldInstance,
  steps: Steps,
): Promise<CaptureSource> {
  const record = held.record();
  const { state, intent, sleep } = record.status;
  const live = held.live();
  if (state === "running" && live !== undefined) return { held, record, machine: live.machine, runs: true };
  if (record.spec.media !== null)
    knownImage({ ...record.spec, imageDigest: null }, `capture instance '${record.name}'`);
  const rests = state === "stopped" && intent !== "delete";
  if (rests || (state === "standby" && sleep?.tier === "off")) {
    return { held, record, machine: undefined, runs: false };
  }
  if (state === "standby" || (state === "starting" && sleep !== null)) {
    const machine = live?.machine ?? (await findSleeper(deps, record, steps));
    return { held, record, machine, runs: false };
  }
  throw new UniError("wrong_state", `capture instance '${record.name}': it is ${state}`);
}

async function findSleeper(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  steps: Steps,
): Promise<Machine> {
  if (record.status.sleep?.tier === "disk") return openSleeper(deps, record, steps);
  const machine = await findMachine(deps, record);
  if (machine === undefined) {
    throw new UniError("vmm_failed", `capture instance '${record.name}': its machine is gone`);
  }
  await steps.after.add("machine of a sleeper", () => machine.release());
  return machine;
}

async function openSleeper(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  { signal, after }: Steps,
): Promise<Machine> {
  const vmm = await deps.vmm();
  const image = await deps.images.resolve(knownImage(record.spec, `resume instance '${record.name}'`));
  const { boot } = await (record.status.kernel === null
    ? deps.currentKernel()
    : deps.kernelOf(record.status.kernel));
  const spec = await machineSpec(deps, record, { boot, rootPath: image.rootPath, roms: record.status.roms });
  const attachment = attachmentOf(deps.network, record, true);
  await after.add("network of a sleeper", () => deps.network.sleep({ ...attachment, asleep: "disk" }));
  await deps.network.prepareWake(attachment);
  const machine = await vmm.resume(spec, deps.directories.sleep(record.id), signal);
  await after.add("machine of a sleeper", () => killMachine(deps, record, machine));
  return machine;
}

/** What can be done while it runs. Its disk has a successor from here on, which whoever finds it puts into its place. */
export async function beginCapture(
  { machines, sweep }: CaptureDependencies,
  source: CaptureSource,
  { signal, undo, after }: Steps,
): Promise<BegunCapture> {
  const { record, machine } = source;
  const id = randomUUID();
  const waiting = memoryOf(record);
  const disk = machines.directories.disk(record.id);
  const isWritten = existsSync(join(disk, overlayName)) || existsSync(join(disk, nextName));
  if (waiting !== undefined || !isWritten) {
    const layer = record.status.origin?.layer ?? null;
    await after.add(
      "lease",
      sweep.lease(waiting?.snapshot.id ?? null, waiting?.snapshot.parent ?? null, layer),
    );
    return { ...source, id, layer, capture: undefined };
  }
  const { frozen } = machines.layers;
  const layer = randomUUID();
  await after.add("lease", sweep.lease(id, layer));
  await undo.add("disk", () => frozen.completeSwitch(disk));
  await foldIfLong(machines, source, signal);
  const path = await frozen.prepareNext(disk, uidFor(record.address), layer);
  if (machine === undefined) return { ...source, id, layer, capture: undefined };
  const capture = await machine.capture(
    {
      directory: machines.directories.snapshot(id),
      disk: layer,
      nextDisk: { path, format: "qcow2", readOnly: false },
    },
    signal,
  );
  await undo.add("capture", () => capture.abandon());
  return { ...source, id, layer, capture };
}

/** So that an instance can be captured without end. The layers of earlier captures stay as they are. */
async function foldIfLong(
  { layers: { frozen }, directories, log }: LifecycleDependencies,
  { record, machine }: CaptureSource,
  signal: AbortSignal,
): Promise<void> {
  const disk = directories.disk(record.id);
  if (machine === undefined) return frozen.fold(disk);
  const fold = await frozen.foldForMonitor(disk);
  try {
    if (fold !== undefined) await machine.foldDisk(fold, signal);
  } catch (error) {
    signal.throwIfAborted();
    // There is room for more layers, and the next capture tries again.
    log.warn({ err: error, instance: record.id }, "folding a disk failed");
  }
}

export async function finishCapture(
  { layers, directories, vmm }: LifecycleDependencies,
  { held, record, id, layer, capture }: BegunCapture,
  signal: AbortSignal,
): Promise<Captured> {
  await layers.frozen.completeSwitch(directories.disk(record.id));
  if (capture === undefined) {
    return { held, record, snapshot: memoryOf(record)?.snapshot ?? null, layer };
  }
  const { bytes } = await capture.publish(signal);
  const standsOn = (await vmm()).snapshotFacts(directories.snapshot(id))?.standsOn;
  const { kernel, accelerator, netTimeUs, roms } = record.status;
  const parent = standsOn === undefined ? null : basename(standsOn);
  const snapshot = { id, parent, kernel, accelerator, listening: netTimeUs !== null, bytes, roms };
  return { held, record, snapshot, layer };
}
