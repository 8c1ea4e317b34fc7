/** A driver without VMM: machines in this process, each with a real agent socket. For tests of all that stands above. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { writeBacking } from "../../host/qcow2.ts";
import type { Machine, MachineExit, MachineSpec, MachineTimings, Vmm } from "../port.ts";
import { untilAborted } from "../qemu/deadline.ts";
import { beginFakeCapture, type CaptureStep } from "./capture.ts";
import {
  checkFakeSnapshot,
  fakeSnapshotFacts,
  readFakeMemory,
  shapeOfFakeSnapshot,
  writeFakeSnapshot,
} from "./snapshot.ts";
import { type FakeAgent, type FakeProcess, FakeWorld } from "./world.ts";

export interface FakeVmmOptions {
  readonly clock: Clock;
  /** Plays the agent of every machine. Default: takes connections and says nothing. */
  readonly onConnect?: FakeAgent;
  /** Give two drivers one world to play a restarted daemon. */
  readonly world?: FakeWorld;
}

export interface FakeVmm extends Vmm {
  readonly world: FakeWorld;
  shutDownGuest(id: string): void;
  panicGuest(id: string): void;
  /** As `kill -9` from outside. */
  killVmm(id: string): Promise<void>;
  /** The next start rejects with this. */
  failNextStart(error: Error): void;
  failNextSuspend(error: Error): void;
  failNextResume(error: Error): void;
  failNextCapture(step: CaptureStep, error: Error): void;
  /** Suspensions and captures wait until the returned function is called, or they are aborted. */
  holdSnapshots(): () => void;
}

type Step = "start" | "suspend" | "resume" | CaptureStep;

export function createFakeVmm(options: FakeVmmOptions): FakeVmm {
  const { clock, onConnect = () => {} } = options;
  const world = options.world ?? new FakeWorld();
  const failures = new Map<Step, Error>();
  let held: Promise<void> = Promise.resolve();
  const failIfTold = (step: Step): void => {
    const failure = failures.get(step);
    failures.delete(step);
    if (failure) throw failure;
  };
  const letThrough = (signal: AbortSignal) => untilAborted(held, signal);
  const suspend = async (process: FakeProcess, directory: string, signal: AbortSignal) => {
    signal.throwIfAborted();
    if (!process.paused || process.guestExit) {
      throw new UniError("wrong_state", `suspend machine ${process.spec.id}: it is not paused`);
    }
    await letThrough(signal);
    failIfTold("suspend");
    const { memory, origin: standsOn } = process;
    return { bytes: writeFakeSnapshot(directory, { shape: process.spec.shape, memory, standsOn }) };
  };
  const open = (process: FakeProcess, timings: MachineTimings | undefined) =>
    openMachine(world, process, timings, { suspend, failIfTold, letThrough });
  const spawn = async (spec: MachineSpec, asleep?: Parameters<FakeWorld["spawn"]>[2]) => {
    const startedUs = clock.monotonicUs();
    const process = await world.spawn(spec, onConnect, asleep);
    const us = clock.monotonicUs() - startedUs;
    return open(process, { startUs: us, loadUs: us, readyUs: us });
  };
  return {
    name: "fake",
    accelerator: "fake",
    version: "0",
    world,
    async prepare(_boot, _shape, signal) {
      signal.throwIfAborted();
    },
    async start(spec, signal) {
      signal.throwIfAborted();
      failIfTold("start");
      return spawn(spec);
    },
    async resume(spec, directory, signal) {
      signal.throwIfAborted();
      failIfTold("resume");
      const health = checkFakeSnapshot(directory);
      if (health.state !== "good") {
        throw new UniError(
          "wrong_state",
          `resume machine ${spec.id} from ${directory}: its snapshot is ${health.state}`,
        );
      }
      const { vcpus, memoryMb } = shapeOfFakeSnapshot(directory);
      if (vcpus !== spec.shape.vcpus || memoryMb !== spec.shape.memoryMb) {
        throw new UniError("wrong_state", `resume machine ${spec.id}: it has other vCPUs or memory`);
      }
      const facts = fakeSnapshotFacts(directory);
      const origin = facts?.disk === undefined ? facts?.standsOn : directory;
      return spawn(spec, { memory: readFakeMemory(directory), origin });
    },
    trimCache: async () => 0,
    checkSnapshot: checkFakeSnapshot,
    snapshotFacts: fakeSnapshotFacts,
    close() {},
    async adopt(directory) {
      const process = world.in(directory);
      if (process) return open(process, undefined);
      removeFiles(directory);
      return undefined;
    },
    shutDownGuest: (id) => world.endGuest(id, { kind: "guest-shutdown" }, "reboot: Restarting system\n"),
    panicGuest: (id) => world.endGuest(id, { kind: "guest-panic" }, "Kernel panic - not syncing: asked to\n"),
    killVmm: (id) => world.endVmm(id),
    failNextStart: (error) => void failures.set("start", error),
    failNextSuspend: (error) => void failures.set("suspend", error),
    failNextResume: (error) => void failures.set("resume", error),
    failNextCapture: (step, error) => void failures.set(step, error),
    holdSnapshots() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
  };
}

interface Told {
  readonly suspend: (
    process: FakeProcess,
    directory: string,
    signal: AbortSignal,
  ) => Promise<{ readonly bytes: number }>;
  readonly failIfTold: (step: CaptureStep) => void;
  readonly letThrough: (signal: AbortSignal) => Promise<void>;
}

function openMachine(
  world: FakeWorld,
  process: FakeProcess,
  timings: MachineTimings | undefined,
  { suspend, failIfTold, letThrough }: Told,
): Machine {
  const exit = Promise.withResolvers<MachineExit>();
  if (process.guestExit) exit.resolve(process.guestExit);
  process.watchers.add(exit.resolve);
  const requireAlive = (attempted: string): void => {
    if (!world.isAlive(process)) throw new UniError("vmm_failed", `${attempted}: the machine is gone`);
  };
  return {
    process: process.identity,
    agentSocket: process.agentSocket,
    accelerator: "fake",
    timings,
    exited: exit.promise,
    get paused() {
      return process.paused;
    },
    async suspend(directory, signal) {
      requireAlive("suspend");
      return suspend(process, directory, signal);
    },
    async capture(target, signal) {
      signal.throwIfAborted();
      requireAlive("capture");
      await letThrough(signal);
      return beginFakeCapture(process, target, requireAlive, failIfTold);
    },
    async foldDisk({ path, onto }, signal) {
      signal.throwIfAborted();
      requireAlive("fold the disk");
      writeBacking(path, onto);
    },
    async pause() {
      requireAlive("pause");
      process.paused = true;
      for (const socket of process.sockets) socket.pause();
    },
    async resume() {
      requireAlive("resume");
      if (process.guestExit) throw new UniError("wrong_state", "resume: the guest has ended");
      process.paused = false;
      for (const socket of process.sockets) socket.resume();
    },
    async kill() {
      exit.resolve({ kind: "killed" });
      process.watchers.delete(exit.resolve);
      await world.end(process, { kind: "vmm-died" });
      if (world.in(process.spec.directory) === undefined) removeFiles(process.spec.directory);
    },
    async lastWords() {
      return process.console;
    },
    async usage() {
      return world.isAlive(process) ? { rssBytes: 1 << 20, cpuTimeMs: 1 } : undefined;
    },
    async release() {
      process.watchers.delete(exit.resolve);
    },
  };
}

const removeFiles = (directory: string): void =>
  rmSync(join(directory, "run"), { recursive: true, force: true });
