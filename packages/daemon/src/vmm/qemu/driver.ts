/** The QEMU driver. A start is a restore: the boot snapshot of kernel and shape, with this machine's disks and network. */
import { rmSync, writeFileSync } from "node:fs";
import { toUniError, UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { Teardown } from "../../base/teardown.ts";
import { readBootId } from "../../host/boot-id.ts";
import { runOk } from "../../host/process.ts";
import { waitUntilEnded } from "../../host/process-end.ts";
import { signalProcess } from "../../host/process-identity.ts";
import type { Machine, MachineSpec, Vmm } from "../port.ts";
import { hostArchitecture, type QemuArchitecture, type RealAccelerator } from "./architecture.ts";
import { createBootSnapshots, stateFor } from "./boot-snapshot.ts";
import { commandLine } from "./command-line.ts";
import { deadline } from "./deadline.ts";
import { runStateOf } from "./guest-state.ts";
import { findNativeDirectory, hostFacts } from "./host-facts.ts";
import { connectLaunched, earlyEnd, inputDescriptor, launch, startError } from "./launch.ts";
import { QemuMachine } from "./machine.ts";
import { publishPreload } from "./preload.ts";
import { connectQmp, type Qmp, type QmpEvent } from "./qmp.ts";
import {
  findMachineProcess,
  loadRecord,
  type MachineRecord,
  makePlaces,
  placesIn,
  removePlaces,
  saveRecord,
} from "./record.ts";

export interface QemuVmmOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Shared by all daemons of the host. */
  readonly cacheDirectory: string;
  readonly accelerator: RealAccelerator;
  readonly qemuPath?: string;
  /** Where native/vmm was built to; found by itself in a checkout. */
  readonly nativeDirectory?: string;
  /** Resolves when a freshly booted agent answers on the socket; leaves no connection open. */
  readonly awaitBooted: (agentSocket: string, signal: AbortSignal) => Promise<void>;
}

/** From process start to running guest; on an idle host it takes some 50 ms. */
const startDeadlineMs = 30_000;
const adoptDeadlineMs = 10_000;
const loadPollMs = 1;

export async function createQemuVmm(options: QemuVmmOptions): Promise<Vmm> {
  const { clock, log, accelerator } = options;
  const architecture = hostArchitecture();
  const program = options.qemuPath ?? architecture.program;
  const nativeDirectory = options.nativeDirectory ?? findNativeDirectory();
  const preload = await publishPreload(options.cacheDirectory, nativeDirectory);
  const version = await qemuVersion(program);
  const facts = hostFacts(options.cacheDirectory, nativeDirectory);
  const kernelArguments = await kernelArgumentsFor(architecture, accelerator, facts);
  const snapshots = createBootSnapshots({
    ...options,
    architecture,
    program,
    nativeDirectory,
    version,
    kernelArguments,
    hostCpu: accelerator === "kvm" ? await architecture.hostCpu() : "",
  });

  async function start(spec: MachineSpec, signal: AbortSignal): Promise<Machine> {
    const attempted = `start machine ${spec.id}`;
    const startedUs = clock.monotonicUs();
    const sinceStart = () => clock.monotonicUs() - startedUs;
    const snapshot = await snapshots.get(spec.boot, spec.shape, signal);
    const undo = new Teardown();
    const limit = deadline(clock, startDeadlineMs, attempted, signal);
    try {
      refuseIfRunning(spec);
      const places = makePlaces(spec.directory, spec.uid);
      await undo.add("files", () => removePlaces(places));
      const { id, uid } = spec;
      let record: MachineRecord = { id, uid, bootId: readBootId(), accelerator, phase: "starting" };
      saveRecord(places, record);
      writeFileSync(places.state, stateFor(snapshot, spec.network.mac), { mode: 0o600 });
      const launched = await launch({
        attempted,
        nativeDirectory,
        program,
        uid,
        accelerator,
        readOnlyRam: { path: snapshot.ramPath, preload },
        input: places.state,
        logPath: places.log,
        args: commandLine({
          architecture,
          accelerator,
          shape: spec.shape,
          name: `uni-${id}`,
          files: places,
          from: { kind: "restore", ramPath: snapshot.ramPath, stateDescriptor: inputDescriptor, spec },
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
      try {
        await untilLoaded(qmp, clock, limit.signal);
        loadUs = sinceStart();
        rmSync(places.state, { force: true });
        await qmp.execute("cont");
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
      saveRecord(places, { ...record, phase: "running" });
      machine = new QemuMachine({ clock, log, places, accelerator, timings, process: launched.process });
      await machine.watch(qmp);
      undo.disarm();
      return machine;
    } catch (error) {
      for (const failure of await undo.run()) {
        log.error({ id: spec.id, step: failure.name, error: failure.error }, "machine not undone");
      }
      throw error;
    } finally {
      limit.cancel();
    }
  }

  async function adopt(directory: string): Promise<Machine | undefined> {
    const places = placesIn(directory);
    const record = loadRecord(places);
    const process = record && findMachineProcess(places, record);
    if (record === undefined || process === undefined) {
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
    const machine = new QemuMachine({
      ...{ clock, log, places, process },
      accelerator: record.accelerator,
      timings: undefined,
    });
    const limit = deadline(clock, adoptDeadlineMs, `adopt machine ${record.id}`);
    try {
      const qmp = await connectQmp(places.qmp, clock, (event) => machine.onEvent(event), limit.signal);
      await machine.watch(qmp);
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
    start,
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

function refuseIfRunning(spec: MachineSpec): void {
  const places = placesIn(spec.directory);
  const record = loadRecord(places);
  if (record === undefined) return;
  const process = findMachineProcess(places, record);
  if (process === undefined) return;
  throw new UniError("in_use", `start machine ${spec.id}: it runs already, as process ${process.pid}`);
}

async function untilLoaded(qmp: Qmp, clock: Clock, signal: AbortSignal): Promise<void> {
  while (runStateOf(await qmp.execute("query-status")) === "inmigrate") await clock.sleep(loadPollMs, signal);
}
