/** A driver without VMM: machines in this process, each with a real agent socket. For tests of all that stands above. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Machine, MachineExit, MachineTimings, Vmm } from "../port.ts";
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
}

export function createFakeVmm(options: FakeVmmOptions): FakeVmm {
  const { clock, onConnect = () => {} } = options;
  const world = options.world ?? new FakeWorld();
  let nextFailure: Error | undefined;
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
      const startedUs = clock.monotonicUs();
      const failure = nextFailure;
      nextFailure = undefined;
      if (failure) throw failure;
      const process = await world.spawn(spec, onConnect);
      const us = clock.monotonicUs() - startedUs;
      return openMachine(world, process, { startUs: us, loadUs: us, readyUs: us });
    },
    async adopt(directory) {
      const process = world.in(directory);
      if (process) return openMachine(world, process, undefined);
      removeFiles(directory);
      return undefined;
    },
    shutDownGuest: (id) => world.endGuest(id, { kind: "guest-shutdown" }, "reboot: Restarting system\n"),
    panicGuest: (id) => world.endGuest(id, { kind: "guest-panic" }, "Kernel panic - not syncing: asked to\n"),
    killVmm: (id) => world.endVmm(id),
    failNextStart(error) {
      nextFailure = error;
    },
  };
}

function openMachine(world: FakeWorld, process: FakeProcess, timings: MachineTimings | undefined): Machine {
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
