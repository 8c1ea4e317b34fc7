/** One start, whatever the machine begins from: its files, its lease on the boot snapshot, its process; all undone if it fails. */
import { rmSync } from "node:fs";
import { toUniError, UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { Teardown } from "../../base/teardown.ts";
import { readBootId } from "../../host/boot-id.ts";
import { waitUntilEnded } from "../../host/process-end.ts";
import { type ProcessIdentity, signalProcess } from "../../host/process-identity.ts";
import { backingChain } from "../../host/qcow2.ts";
import type { MachineSpec, MachineTimings } from "../port.ts";
import type { QemuArchitecture, RealAccelerator } from "./architecture.ts";
import { dropLease, takeLease } from "./boot-leases.ts";
import type { BootSnapshots } from "./boot-snapshot.ts";
import { commandLine } from "./command-line.ts";
import { deadline } from "./deadline.ts";
import { runStateOf } from "./guest-state.ts";
import {
  connectLaunched,
  earlyEnd,
  inputDescriptor,
  type Launch,
  type Launched,
  startError,
  tapDescriptor,
} from "./launch.ts";
import type { QemuMachine } from "./machine.ts";
import { captureBelow, layOutInputs, type Origin, slotsOf } from "./origin.ts";
import { type PassingName, passingName } from "./passing-name.ts";
import type { Qmp, QmpEvent } from "./qmp.ts";
import {
  findMachineProcess,
  loadRecord,
  type MachinePlaces,
  type MachineRecord,
  makePlaces,
  placesIn,
  removePlaces,
  saveRecord,
} from "./record.ts";

export interface StartDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly accelerator: RealAccelerator;
  readonly architecture: QemuArchitecture;
  /** QEMU. */
  readonly program: string;
  readonly nativeDirectory: string;
  readonly preload: string;
  readonly launch: (options: Launch) => Promise<Launched>;
  readonly snapshots: Pick<BootSnapshots, "directoryOf">;
  readonly handle: (
    places: MachinePlaces,
    record: MachineRecord,
    process: ProcessIdentity,
    timings: MachineTimings,
  ) => QemuMachine;
}

export interface Start {
  /** For error messages: "start machine …". */
  readonly attempted: string;
  readonly spec: MachineSpec;
  readonly from: Origin;
  /** Runs beside QEMU's start. If it fails no guest runs, and its error is the one that is told. */
  readonly check?: () => Promise<void>;
}

/** From process start to running guest; on an idle host it takes some 50 ms. */
const startDeadlineMs = 30_000;
const loadPollMs = 1;
/** Of no disk that this daemon makes. */
const mostDiskLayers = 100;

/** Ends with a machine that runs if it comes from its boot, and one that stands still if it was a sleeper. */
export async function startMachine(
  deps: StartDependencies,
  start: Start,
  signal: AbortSignal,
): Promise<QemuMachine> {
  const { clock, log } = deps;
  const { attempted, spec, from } = start;
  const startedUs = clock.monotonicUs();
  const sinceStart = () => clock.monotonicUs() - startedUs;
  const undo = new Teardown();
  const limit = deadline(clock, startDeadlineMs, attempted, signal);
  let disk: PassingName | undefined;
  let checked = Promise.resolve();
  try {
    refuseIfRunning(attempted, spec);
    disk = passingName(spec.writable.path);
    const places = makePlaces(spec.directory, spec.uid);
    await undo.add("files", () => removePlaces(places));
    const record = recordOf(deps, start);
    saveRecord(places, record);
    const bootDirectory = deps.snapshots.directoryOf(record.base);
    await undo.add("lease", () => dropLease(bootDirectory, places.record));
    takeLease(bootDirectory, places.record);
    let launched: Launched | undefined;
    await undo.add("process", async () => {
      const process = launched?.process ?? findMachineProcess(places, record);
      if (process === undefined) return;
      signalProcess(process, "SIGKILL");
      await waitUntilEnded(process, clock, 10_000);
    });
    launched = await deps.launch(launchOf(deps, start, { places, record, diskPath: disk.path }));
    const { process } = launched;
    checked = start.check?.() ?? checked;
    checked.catch(() => {}); // Awaited when QEMU is that far.
    saveRecord(places, { ...record, process });
    let machine: QemuMachine | undefined;
    const onEvent = (event: QmpEvent) => machine?.onEvent(event);
    const qmp = await connectLaunched(launched, places.qmp, clock, onEvent, limit.signal);
    const startUs = sinceStart();
    let loadUs = startUs;
    let loaded: unknown;
    try {
      loaded = await untilLoaded(qmp, clock, limit.signal);
      loadUs = sinceStart();
      rmSync(places.state, { force: true });
      if (from.kind === "boot") await qmp.execute("cont");
    } catch (error) {
      limit.signal.throwIfAborted();
      throw await loadError(launched, clock, error);
    }
    await checked;
    const running: MachineRecord = { ...record, process, phase: "running" };
    const timings = { startUs, loadUs, readyUs: sinceStart() };
    saveRecord(places, running);
    machine = deps.handle(places, running, process, timings);
    await machine.watch(qmp, from.kind === "sleeper" && loaded === "paused" ? loaded : undefined);
    undo.disarm();
    return machine;
  } catch (error) {
    for (const failure of await undo.run()) {
      log.error({ id: spec.id, step: failure.name, err: failure.error }, "machine not undone");
    }
    await checked;
    throw error;
  } finally {
    limit.cancel();
    disk?.remove();
  }
}

function refuseIfRunning(attempted: string, spec: MachineSpec): void {
  const places = placesIn(spec.directory);
  const record = loadRecord(places);
  if (record === undefined) return;
  const process = findMachineProcess(places, record);
  if (process === undefined) return;
  throw new UniError("in_use", `${attempted}: it runs already, as process ${process.pid}`);
}

function recordOf({ accelerator }: StartDependencies, { spec, from }: Start): MachineRecord {
  const { id, uid, shape, network } = spec;
  const { key, stateSha256 } = from.snapshot;
  const origin = captureBelow(from);
  return {
    ...{ id, uid, bootId: readBootId(), accelerator, shape, base: { key, stateSha256 }, mac: network.mac },
    ...{ romSlots: slotsOf(spec, from), phase: "starting" },
    ...(origin !== undefined && { origin }),
  };
}

function launchOf(
  { accelerator, architecture, nativeDirectory, program, preload }: StartDependencies,
  { attempted, spec, from }: Start,
  {
    places,
    record,
    diskPath,
  }: { readonly places: MachinePlaces; readonly record: MachineRecord; readonly diskPath: string },
): Launch {
  const { ramPath } = from.snapshot;
  return {
    ...{ attempted, nativeDirectory, program, accelerator },
    uid: spec.uid,
    readOnlyRam: { path: ramPath, preload },
    inputs: layOutInputs(places, spec, from),
    tap: spec.network.tap,
    deltas: from.kind === "boot" ? 0 : from.layers.length,
    logPath: places.log,
    cwd: places.run,
    args: commandLine({
      ...{ architecture, accelerator },
      shape: spec.shape,
      name: `uni-${spec.id}`,
      files: places,
      from: {
        kind: "restore",
        ramPath,
        stateDescriptor: inputDescriptor,
        tapDescriptor,
        spec: { ...spec, writable: { ...spec.writable, path: diskPath } },
        romSlots: record.romSlots,
        backing: backingChain(spec.writable.path, mostDiskLayers),
      },
    }),
  };
}

/** The guest's state then. */
async function untilLoaded(qmp: Qmp, clock: Clock, signal: AbortSignal): Promise<unknown> {
  for (;;) {
    const state = runStateOf(await qmp.execute("query-status"));
    if (state !== "inmigrate") return state;
    await clock.sleep(loadPollMs, signal);
  }
}

/** QEMU ends when it cannot load the state; it answers and stays when another machine has the disk. */
async function loadError(launched: Launched, clock: Clock, error: unknown): Promise<UniError> {
  const gone = await Promise.race([launched.ended.then(() => true), clock.sleep(500).then(() => false)]);
  if (gone) return earlyEnd(launched);
  return startError(launched.attempted, toUniError(error, "start").message, error);
}
