/**
 * The QEMU driver. A start is a restore: the boot snapshot of kernel and shape, with this machine's disks and network. So
 * is waking a sleeper, with its own devices, and what it wrote laid over the same memory.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { toUniError, UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { Teardown } from "../../base/teardown.ts";
import { readBootId } from "../../host/boot-id.ts";
import { runOk } from "../../host/process.ts";
import { waitUntilEnded } from "../../host/process-end.ts";
import { type ProcessIdentity, signalProcess } from "../../host/process-identity.ts";
import { backingChain } from "../../host/qcow2.ts";
import { worksIn } from "../../host/working-directory.ts";
import type { Machine, MachineSpec, MachineTimings, Vmm } from "../port.ts";
import { hostArchitecture, type QemuArchitecture, type RealAccelerator } from "./architecture.ts";
import { dropLease, takeLease } from "./boot-leases.ts";
import { type BootSnapshot, createBootSnapshots, stateFor, withAddress } from "./boot-snapshot.ts";
import { QemuCapture } from "./capture.ts";
import { commandLine, layoutVersion } from "./command-line.ts";
import { deadline } from "./deadline.ts";
import { runStateOf } from "./guest-state.ts";
import { findNativeDirectory, hostFacts } from "./host-facts.ts";
import { connectLaunched, earlyEnd, inputDescriptor, launch, startError } from "./launch.ts";
import { QemuMachine } from "./machine.ts";
import { type PassingName, passingName } from "./passing-name.ts";
import { publishPreload } from "./preload.ts";
import { connectQmp, type Qmp, type QmpEvent } from "./qmp.ts";
import {
  findMachineProcess,
  loadRecord,
  type MachinePlaces,
  type MachineRecord,
  makePlaces,
  placesIn,
  removeAsides,
  removePlaces,
  saveRecord,
} from "./record.ts";
import {
  inOneGo,
  letOthersRun,
  type MadeBy,
  type Pieces,
  type SleepSnapshotMeta,
  sleepSnapshotFiles,
} from "./sleep-snapshot.ts";
import {
  type BadHealth,
  readLayers,
  type SnapshotLayer,
  snapshotFacts,
  WholeCaptures,
  whyUnfit,
} from "./snapshot-layers.ts";
import { type Suspension, writeSleepSnapshot } from "./suspend.ts";

export interface QemuVmmOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Shared by all daemons of the host. */
  readonly cacheDirectory: string;
  /** Boot snapshots take no more of it, but for those in use. Default: no bound. */
  readonly cacheBytes?: number;
  readonly accelerator: RealAccelerator;
  readonly qemuPath?: string;
  /** Where native/vmm was built to; found by itself in a checkout. */
  readonly nativeDirectory?: string;
  /** Resolves when a freshly booted agent answers on the socket; leaves no connection open. */
  readonly awaitBooted: (agentSocket: string, signal: AbortSignal) => Promise<void>;
}

/** A snapshot that is whole and fits, with what it stands on. */
interface SnapshotGround {
  readonly snapshot: BootSnapshot;
  readonly layers: readonly SnapshotLayer[];
  readonly top: SleepSnapshotMeta;
}

type Origin =
  | { readonly kind: "boot"; readonly snapshot: BootSnapshot }
  | ({ readonly kind: "sleeper" } & SnapshotGround);

/** From process start to running guest; on an idle host it takes some 50 ms. */
const startDeadlineMs = 30_000;
const adoptDeadlineMs = 10_000;
const loadPollMs = 1;
/** Of no disk that this daemon makes. */
const mostDiskLayers = 100;

export async function createQemuVmm(options: QemuVmmOptions): Promise<Vmm> {
  const { clock, log, accelerator } = options;
  const architecture = hostArchitecture();
  const program = options.qemuPath ?? architecture.program;
  const nativeDirectory = options.nativeDirectory ?? findNativeDirectory();
  const preload = await publishPreload(options.cacheDirectory, nativeDirectory);
  const version = await qemuVersion(program);
  const facts = hostFacts(options.cacheDirectory, nativeDirectory);
  const kernelArguments = await kernelArgumentsFor(architecture, accelerator, facts);
  const hostCpu = accelerator === "kvm" ? await architecture.hostCpu() : "";
  const whole = new WholeCaptures();
  const here: MadeBy = {
    ...{ qemu: version, accelerator, devices: layoutVersion },
    cpu: createHash("sha256").update(`${architecture.cpu[accelerator]} ${hostCpu}`).digest("hex"),
  };
  const snapshots = createBootSnapshots({
    ...options,
    architecture,
    program,
    nativeDirectory,
    version,
    kernelArguments,
    hostCpu,
    maxBytes: options.cacheBytes ?? Number.POSITIVE_INFINITY,
  });
  await snapshots.trim({ all: false });

  /** The handle on a machine that runs or begins to; the record says what it stands on. */
  function handle(
    places: MachinePlaces,
    record: MachineRecord,
    process: ProcessIdentity,
    timings: MachineTimings | undefined,
  ): QemuMachine {
    const { id, base, shape, mac, romSlots, origin } = record;
    const bootDirectory = snapshots.directoryOf(base);
    const oldIndex = existsSync(places.index) ? places.index : undefined;
    // The short name is the quick one; an earlier daemon may have started the machine in another directory.
    const devicesName = worksIn(process, places.run) ? basename(places.devices) : places.devices;
    const suspension: Suspension = {
      ...{ clock, id, pid: process.pid, places, shape, base, bootDirectory, nativeDirectory },
      ...{ devicesName, oldIndex, madeBy: here, mac, romSlots, origin },
    };
    return new QemuMachine({
      ...{ clock, log, places, process, timings },
      accelerator: record.accelerator,
      writeSnapshot: (qmp, directory, signal) => writeSleepSnapshot(suspension, qmp, directory, signal),
      beginCapture: (machine, target, signal) =>
        QemuCapture.begin({ ...suspension, whole }, machine, target, signal),
      onKilled: () => dropLease(bootDirectory, places.record),
    });
  }

  async function start(spec: MachineSpec, signal: AbortSignal): Promise<Machine> {
    const snapshot = await snapshots.get(spec.boot, spec.shape, signal);
    return launchMachine(`start machine ${spec.id}`, spec, { kind: "boot", snapshot }, signal);
  }

  async function resume(spec: MachineSpec, directory: string, signal: AbortSignal): Promise<Machine> {
    const attempted = `resume machine ${spec.id} from ${directory}`;
    const found = await letOthersRun(examine(directory), clock, signal);
    if ("state" in found) {
      const why = "reason" in found ? found.reason : "there is no such snapshot";
      throw new UniError("wrong_state", `${attempted}: ${why}`);
    }
    const { shape } = found.top;
    if (shape.vcpus !== spec.shape.vcpus || shape.memoryMb !== spec.shape.memoryMb) {
      throw new UniError("wrong_state", `${attempted}: it has other vCPUs or memory`);
    }
    return launchMachine(attempted, spec, { kind: "sleeper", ...found }, signal);
  }

  function* examine(directory: string): Pieces<SnapshotGround | BadHealth> {
    const layers = yield* readLayers(directory, whole);
    const top = Array.isArray(layers) ? layers.at(-1)?.meta : undefined;
    if (!Array.isArray(layers) || top === undefined) return layers as BadHealth;
    const unfit = whyUnfit(top, here);
    if (unfit !== undefined) return { state: "unfit", reason: unfit };
    const snapshot = snapshots.find(top.base);
    if (snapshot) return { snapshot, layers, top };
    return { state: "corrupt", reason: "the boot snapshot that it stands on is gone" };
  }

  /** Ends with a machine that runs if it comes from its boot, and one that stands still if it was a sleeper. */
  async function launchMachine(
    attempted: string,
    spec: MachineSpec,
    from: Origin,
    signal: AbortSignal,
  ): Promise<Machine> {
    const { snapshot } = from;
    const startedUs = clock.monotonicUs();
    const sinceStart = () => clock.monotonicUs() - startedUs;
    const undo = new Teardown();
    const limit = deadline(clock, startDeadlineMs, attempted, signal);
    let disk: PassingName | undefined;
    try {
      refuseIfRunning(attempted, spec);
      disk = passingName(spec.writable.path);
      const places = makePlaces(spec.directory, spec.uid);
      await undo.add("files", () => removePlaces(places));
      const { id, uid, shape } = spec;
      const { key, stateSha256 } = snapshot;
      const bootId = readBootId();
      const base = { key, stateSha256 };
      const origin = from.kind === "boot" ? undefined : originOf(from.layers);
      const romSlots = slotsOf(spec, from);
      let record: MachineRecord = {
        ...{ id, uid, bootId, accelerator, shape, base, mac: spec.network.mac, romSlots, phase: "starting" },
        ...(origin !== undefined && { origin }),
      };
      saveRecord(places, record);
      const bootDirectory = snapshots.directoryOf(base);
      await undo.add("lease", () => dropLease(bootDirectory, places.record));
      takeLease(bootDirectory, places.record);
      const inputs = layOutInputs(places, spec, from);
      const launched = await launch({
        attempted,
        nativeDirectory,
        program,
        uid,
        accelerator,
        readOnlyRam: { path: snapshot.ramPath, preload },
        inputs,
        deltas: from.kind === "boot" ? 0 : from.layers.length,
        logPath: places.log,
        cwd: places.run,
        args: commandLine({
          architecture,
          accelerator,
          shape: spec.shape,
          name: `uni-${id}`,
          files: places,
          from: {
            kind: "restore",
            ramPath: snapshot.ramPath,
            stateDescriptor: inputDescriptor,
            spec: { ...spec, writable: { ...spec.writable, path: disk.path } },
            romSlots,
            backing: backingChain(spec.writable.path, mostDiskLayers),
          },
        }),
      });
      record = { ...record, process: launched.process };
      saveRecord(places, record);
      await undo.add("process", async () => {
        signalProcess(launched.process, "SIGKILL");
        await waitUntilEnded(launched.process, clock, 10_000);
      });
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
        // QEMU ends when it cannot load the state; it answers and stays when another machine has the disk.
        const gone = await Promise.race([
          launched.ended.then(() => true),
          clock.sleep(500).then(() => false),
        ]);
        throw gone
          ? await earlyEnd(launched)
          : startError(attempted, toUniError(error, "start").message, error);
      }
      const timings = { startUs, loadUs, readyUs: sinceStart() };
      record = { ...record, phase: "running" };
      saveRecord(places, record);
      machine = handle(places, record, launched.process, timings);
      await machine.watch(qmp, from.kind === "sleeper" && loaded === "paused" ? loaded : undefined);
      undo.disarm();
      return machine;
    } catch (error) {
      for (const failure of await undo.run()) {
        log.error({ id: spec.id, step: failure.name, err: failure.error }, "machine not undone");
      }
      throw error;
    } finally {
      limit.cancel();
      disk?.remove();
    }
  }

  async function adopt(directory: string): Promise<Machine | undefined> {
    const places = placesIn(directory);
    const record = loadRecord(places);
    const process = record && findMachineProcess(places, record);
    if (record === undefined || process === undefined) {
      if (record) dropLease(snapshots.directoryOf(record.base), places.record);
      removePlaces(places);
      return undefined;
    }
    if (record.phase === "starting") {
      // Nobody was told of this machine, and it may not have begun to run.
      signalProcess(process, "SIGKILL");
      await waitUntilEnded(process, clock, adoptDeadlineMs);
      removePlaces(places);
      return undefined;
    }
    removeAsides(places);
    const machine = handle(places, record, process, undefined);
    // A paused one may stand entirely still.
    signalProcess(process, "SIGCONT");
    const limit = deadline(clock, adoptDeadlineMs, `adopt machine ${record.id}`);
    try {
      const qmp = await connectQmp(places.qmp, clock, (event) => machine.onEvent(event), limit.signal);
      await machine.watch(qmp);
      if (machine.paused) await machine.pause();
      return machine;
    } catch (error) {
      if (!(await waitUntilEnded(process, clock, 500))) throw error;
      removePlaces(places);
      return undefined;
    } finally {
      limit.cancel();
    }
  }

  return {
    name: "qemu",
    accelerator,
    version,
    async prepare(boot, shape, signal) {
      await snapshots.get(boot, shape, signal);
    },
    trimCache: (what) => snapshots.trim(what),
    start,
    resume,
    checkSnapshot(directory) {
      const found = inOneGo(examine(directory));
      return "state" in found ? found : { state: "good" };
    },
    snapshotFacts,
    adopt,
  };
}

/** What it says about itself: "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)". */
export async function qemuVersion(program: string): Promise<string> {
  const { stdout } = await runOk(program, ["--version"], { timeoutMs: 30_000 });
  const line = stdout.toString().split("\n")[0] ?? "";
  return line.replace(/^QEMU emulator version /, "");
}

export async function kernelArgumentsFor(
  architecture: QemuArchitecture,
  accelerator: RealAccelerator,
  facts: Parameters<QemuArchitecture["kernelArguments"]>[1],
): Promise<readonly string[]> {
  return ["quiet", ...(await architecture.kernelArguments(accelerator, facts))];
}

/** The files that QEMU gets as descriptors. */
function layOutInputs(places: MachinePlaces, spec: MachineSpec, from: Origin): string[] {
  if (from.kind === "boot") {
    writeFileSync(places.state, stateFor(from.snapshot, spec.network.mac), { mode: 0o600 });
    return [places.state];
  }
  const files = from.layers.map(({ directory }) => sleepSnapshotFiles(directory));
  const [own, { mac, disk }] = [files.at(-1), from.top];
  if (own === undefined) return [];
  // A sleeper's, for the next time it is suspended, when these files may be gone.
  if (disk === undefined) copyFileSync(own.index, places.index);
  const deltas = files.flatMap(({ delta, index }) => [delta, index]);
  if (mac === spec.network.mac) return [own.state, ...deltas];
  writeFileSync(places.state, withAddress(readFileSync(own.state), mac, spec.network.mac), { mode: 0o600 });
  return [places.state, ...deltas];
}

/** The capture that the machine stands on: pages of it are not the machine's own. */
function originOf(layers: readonly SnapshotLayer[]): string | undefined {
  return layers.findLast(({ meta }) => meta.disk !== undefined)?.directory;
}

/** Those of the machine, and those that the snapshot's devices include. */
function slotsOf({ roms }: MachineSpec, from: Origin): readonly number[] {
  const known = from.kind === "boot" ? [] : from.top.romSlots;
  return [...new Set([...known, ...roms.map(({ slot }) => slot)])].sort((a, b) => a - b);
}

function refuseIfRunning(attempted: string, spec: MachineSpec): void {
  const places = placesIn(spec.directory);
  const record = loadRecord(places);
  if (record === undefined) return;
  const process = findMachineProcess(places, record);
  if (process === undefined) return;
  throw new UniError("in_use", `${attempted}: it runs already, as process ${process.pid}`);
}

/** The guest's state then. */
async function untilLoaded(qmp: Qmp, clock: Clock, signal: AbortSignal): Promise<unknown> {
  for (;;) {
    const state = runStateOf(await qmp.execute("query-status"));
    if (state !== "inmigrate") return state;
    await clock.sleep(loadPollMs, signal);
  }
}
