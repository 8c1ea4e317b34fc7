/**
 * A whole node of pretended machines for tests: the real store, registry, owners, lifecycle, recovery and socket over a fake
 * VMM, network and image store and scripted guests. A daemon can be killed at any instant; the host goes on without it.
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startSocket } from "../api/socket.ts";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import type { Edge, EdgeLoad } from "../edge/port.ts";
import { Pins } from "../images/pins/pins.ts";
import { standardOptions } from "../images/remote/address.ts";
import { RomFiles } from "../images/rom-files.ts";
import { LogStore } from "../instances/log-store.ts";
import type { Registry } from "../instances/registry.ts";
import { account } from "../instances/test-records.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { directoriesBelow } from "../operations/directories.ts";
import { createFakeImages, createFakeNetwork, type FakeNetwork } from "../operations/fake-host.ts";
import { createFakeLayers } from "../operations/fake-layers.ts";
import type { NodeLimits } from "../operations/node-limits.ts";
import { ScriptedGuests } from "../operations/scripted-guests.ts";
import { ensureAccount } from "../store/accounts.ts";
import { openDatabase } from "../store/open.ts";
import { createFakeVmm, type FakeVmm } from "../vmm/fake/driver.ts";
import { FakeWorld } from "../vmm/fake/world.ts";
import type { Config } from "./config.ts";
import { openCore } from "./core.ts";
import type { NodeVmm } from "./node-vmm.ts";
import { recover } from "./recover.ts";

export const limits: NodeLimits = {
  instances: 1000,
  liveVcpus: 1000,
  liveMemoryMb: 1_000_000,
  minMemoryMb: 64,
  maxMemoryMb: 4096,
  maxVcpus: 8,
};

export interface SimulatedHost {
  readonly directory: string;
  readonly world: FakeWorld;
  readonly guests: ScriptedGuests;
  readonly network: FakeNetwork;
  /** What members of service groups have to do, by instance, as the edge would count it. */
  readonly loads: Map<string, EdgeLoad>;
  /** Sizes beyond their mark that the edge was told of, with the most. */
  readonly growths: (readonly [number, number])[];
}

export interface SimulatedDaemon {
  readonly registry: Registry;
  readonly recovered: Promise<void>;
  readonly failNextCapture: FakeVmm["failNextCapture"];
  readonly holdSnapshots: FakeVmm["holdSnapshots"];
  /** A method on the socket. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  call(method: string, params?: object): Promise<any>;
  readonly isDead: () => boolean;
  /** As SIGTERM: machines go on. */
  close(): Promise<void>;
  /** As SIGKILL: nothing that was awaited comes back. */
  kill(): Promise<void>;
}

export async function withHost(body: (host: SimulatedHost) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "n-"));
  const world = new FakeWorld();
  try {
    mkdirSync(directoriesBelow(directory).machines);
    mkdirSync(directoriesBelow(directory).instances);
    await body({
      directory,
      world,
      guests: new ScriptedGuests(world),
      network: createFakeNetwork(),
      loads: new Map(),
      growths: [],
    });
  } finally {
    for (const process of world.processes) await world.endVmm(process.spec.id);
    rmSync(directory, { recursive: true, force: true });
  }
}

export interface SimulatedOptions {
  readonly nodeLimits?: NodeLimits;
  /** The daemon dies with the n-th time that it calls the host or hears of what came of a call. */
  readonly diesAt?: { steps: number };
  /** Called each time that it calls the host or hears of what came of a call. */
  readonly onStep?: () => void;
}

export async function startDaemon(
  host: SimulatedHost,
  { nodeLimits = limits, diesAt, onStep = () => {} }: SimulatedOptions = {},
): Promise<SimulatedDaemon> {
  const clock = systemClock;
  const log = silentLog;
  const state = { dead: false };
  const isDead = () => {
    onStep();
    if (diesAt !== undefined && --diesAt.steps <= 0) state.dead = true;
    return state.dead;
  };
  const mortal = <T extends object>(room: T): T => untilDead(room, isDead);
  const logs: LogStore[] = [];
  const directories = directoriesBelow(host.directory);
  const db = await openDatabase(join(host.directory, "uni.db"));
  await ensureAccount(db, { id: account, name: "admin" }, 1);
  const fakeVmm = createFakeVmm({ clock, world: host.world });
  const vmm = mortal(fakeVmm);
  const guests = host.guests.connector();
  const images = createFakeImages();
  const kernel = { version: "6.1", boot: { id: "k", kernelPath: "/nowhere/k", initramfsPath: "/nowhere/i" } };
  const core = await openCore({
    ...{ db, clock, log, directories, images },
    config: configOf(host),
    accounts: [{ id: account, name: "admin" }],
    limits: nodeLimits,
    nodeVmm: {
      known: { vmm, reason: "pretended" },
      ready: async () => ({ vmm, reason: "pretended" }),
      currentKernel: async () => kernel,
      kernelOf: async () => kernel,
      trimCache: fakeVmm.trimCache,
    } as unknown as NodeVmm,
    kernels: { list: async () => [] } as unknown as Kernels,
    guests: mortal(guests),
    network: mortal(host.network),
    romFiles: await RomFiles.open(directories.roms),
    layers: createFakeLayers(directories.layers),
    pins: await Pins.open({ db, clock, log, pull: (_account, url) => images.resolve(url) }),
    remote: { check: async () => {} },
    edge: pretendedEdge(host),
    address: () => undefined,
    shutdown: () => {},
    authenticate: () => undefined,
    socketAccount: account,
    openLog: async (id) => {
      const store = await LogStore.open(directories.log(id));
      logs.push(store);
      if (state.dead) await store.close();
      return store;
    },
  });
  const { registry, owners, services, snapshots } = core;
  const recovered = recover(core.shared).then(() => snapshots.recover());
  recovered.catch(() => {});
  const autoscale = core.startAutoscale((...args) =>
    state.dead ? new Promise<never>(() => {}) : snapshots.create(...args),
  );
  const path = core.shared.config.socketPath;
  const socket = await startSocket(core.api, { path, log });
  const goAway = async () => {
    guests.sever();
    await services.release();
    snapshots.release();
    core.unwatchRoms();
    await db.destroy();
    await Promise.all(logs.map((store) => store.close()));
  };
  return {
    registry,
    recovered,
    failNextCapture: fakeVmm.failNextCapture,
    holdSnapshots: fakeVmm.holdSnapshots,
    isDead: () => state.dead,
    call: (method, params = {}) => callOn(path, method, params),
    async close() {
      await socket.close();
      await autoscale.close();
      await snapshots.endCaptures();
      await owners.release();
      state.dead = true;
      await goAway();
    },
    async kill() {
      state.dead = true;
      void autoscale.close();
      await socket.close();
      await goAway();
    },
  };
}

const configOf = ({ directory }: SimulatedHost): Config => ({
  dataDirectory: directory,
  cacheDirectory: directory,
  socketPath: join(directory, "s"),
  listen: undefined,
  logLevel: "info",
  logFormat: undefined,
  sleepToDiskAfterMs: 60_000,
  bootCacheBytes: 0,
  pruneImagesAfterMs: 0,
  domain: "uni.localhost",
  edgeBind: "127.0.0.1",
  edgeProxies: [],
  acme: undefined,
  registries: standardOptions,
  pullTimeoutMs: 60_000,
});

const pretendedEdge = ({ loads, growths }: SimulatedHost): Edge => ({
  noteGrowth: async (_group, size, most) => void growths.push([size, most]),
  noteWake: async () => {},
  loads: async () => loads,
  apply: async () => [],
  checkPorts: async () => {},
  release: async () => {},
  remove: async () => {},
});

/** What only looks, and cannot be kept waiting for ever. */
const answersAtOnce: ReadonlySet<PropertyKey> = new Set([
  "checkSnapshot",
  "snapshotFacts",
  "namesFor",
  "pickAddress",
]);

/** The object, whose promises no longer settle once the daemon is dead, nor those of what they gave. */
function untilDead<T extends object>(room: T, isDead: () => boolean): T {
  const gate = async (promise: Promise<unknown>): Promise<unknown> => {
    const value = await promise;
    if (isDead()) return new Promise<never>(() => {});
    return isRoom(value) ? untilDead(value, isDead) : value;
  };
  return new Proxy(room, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (member instanceof Promise) return gate(member);
      if (typeof member !== "function" || answersAtOnce.has(name)) return member;
      return (...args: unknown[]) => {
        if (isDead()) return new Promise<never>(() => {});
        const result: unknown = member.apply(target, args);
        return result instanceof Promise ? gate(result) : result;
      };
    },
  });
}

/** A machine or a channel: plain objects of functions. */
const isRoom = (value: unknown): value is object =>
  typeof value === "object" &&
  value !== null &&
  Object.getPrototypeOf(value) === Object.prototype &&
  Object.values(value).some((member) => typeof member === "function");

async function callOn(path: string, method: string, params: object): Promise<unknown> {
  const socket = connect(path);
  socket.on("error", () => {});
  socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })}\n`);
  try {
    for await (const line of createInterface({ input: socket })) {
      const { result, error } = JSON.parse(line);
      if (error !== undefined) {
        const { code, hint } = error.data ?? {};
        throw Object.assign(new Error(error.message), { code, hint });
      }
      return result;
    }
    throw new Error(`${method}: the daemon went away`);
  } finally {
    socket.destroy();
  }
}
