/**
 * The QEMU driver. A start is a restore: the boot snapshot of kernel and shape, with this machine's disks and network. So
 * is waking a sleeper, with its own devices, and what it wrote laid over the same memory.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { runOk } from "../../host/process.ts";
import { waitUntilEnded } from "../../host/process-end.ts";
import { type ProcessIdentity, signalProcess } from "../../host/process-identity.ts";
import { worksIn } from "../../host/working-directory.ts";
import type { Machine, MachineSpec, MachineTimings, Vmm } from "../port.ts";
import { hostArchitecture, type QemuArchitecture, type RealAccelerator } from "./architecture.ts";
import { dropLease } from "./boot-leases.ts";
import { createBootSnapshots } from "./boot-snapshot.ts";
import { QemuCapture } from "./capture.ts";
import { layoutVersion } from "./command-line.ts";
import { deadline } from "./deadline.ts";
import { findNativeDirectory, hostFacts } from "./host-facts.ts";
import { QemuMachine } from "./machine.ts";
import type { SnapshotGround } from "./origin.ts";
import { publishPreload } from "./preload.ts";
import { connectQmp } from "./qmp.ts";
import {
  findMachineProcess,
  loadRecord,
  type MachinePlaces,
  type MachineRecord,
  placesIn,
  removeAsides,
  removePlaces,
} from "./record.ts";
import { inOneGo, letOthersRun, type MadeBy } from "./sleep-snapshot.ts";
import {
  type BadHealth,
  readDeltas,
  readLayers,
  snapshotFacts,
  WholeCaptures,
  whyUnfit,
} from "./snapshot-layers.ts";
import { type StartDependencies, startMachine } from "./start-machine.ts";
import { type Suspension, writeSleepSnapshot } from "./suspend.ts";
import { Zygotes } from "./zygote.ts";

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

const adoptDeadlineMs = 10_000;
export async function createQemuVmm(options: QemuVmmOptions): Promise<Vmm> {
  const { clock, log, accelerator } = options;
  const architecture = hostArchitecture();
  const program = options.qemuPath ?? architecture.program;
  const nativeDirectory = options.nativeDirectory ?? findNativeDirectory();
  const preload = await publishPreload(options.cacheDirectory, nativeDirectory);
  const zygotes = new Zygotes({ program, preload, clock, log });
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

  const starting: StartDependencies = {
    ...{ clock, log, accelerator, architecture, program, nativeDirectory, preload, snapshots, handle },
    launch: (options) => zygotes.launch(options),
  };

  async function start(spec: MachineSpec, signal: AbortSignal): Promise<Machine> {
    const snapshot = await snapshots.get(spec.boot, spec.shape, signal);
    const attempted = `start machine ${spec.id}`;
    return startMachine(starting, { attempted, spec, from: { kind: "boot", snapshot } }, signal);
  }

  async function resume(spec: MachineSpec, directory: string, signal: AbortSignal): Promise<Machine> {
    const attempted = `resume machine ${spec.id} from ${directory}`;
    const found = examine(directory);
    if ("state" in found) throw refusal(attempted, found);
    const { shape } = found.top;
    if (shape.vcpus !== spec.shape.vcpus || shape.memoryMb !== spec.shape.memoryMb) {
      throw new UniError("wrong_state", `${attempted}: it has other vCPUs or memory`);
    }
    const check = async () => {
      const bad = await letOthersRun(readDeltas(found.layers, whole), clock, signal);
      if (bad !== undefined) throw refusal(attempted, bad);
    };
    return startMachine(starting, { attempted, spec, from: { kind: "sleeper", ...found }, check }, signal);
  }

  const refusal = (attempted: string, bad: BadHealth): UniError =>
    new UniError(
      "wrong_state",
      `${attempted}: ${"reason" in bad ? bad.reason : "there is no such snapshot"}`,
    );

  /** All but what is in the deltas. */
  function examine(directory: string): SnapshotGround | BadHealth {
    const layers = readLayers(directory, whole);
    const top = Array.isArray(layers) ? layers.at(-1)?.meta : undefined;
    if (!Array.isArray(layers) || top === undefined) return layers as BadHealth;
    const unfit = whyUnfit(top, here);
    if (unfit !== undefined) return { state: "unfit", reason: unfit };
    const snapshot = snapshots.find(top.base);
    if (snapshot) return { snapshot, layers, top };
    return { state: "corrupt", reason: "the boot snapshot that it stands on is gone" };
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
      const found = examine(directory);
      return "state" in found ? found : (inOneGo(readDeltas(found.layers, whole)) ?? { state: "good" });
    },
    snapshotFacts,
    adopt,
    close: () => zygotes.close(),
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
