/** A world of one instance for the tests of the owner loop: its machine and network are pretended, its store is real. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { type AccountId, asAccountId, asInstanceId, type Digest } from "@uni/contract/ids";
import type { ImageReference } from "@uni/contract/resources/image-spec";
import { silentLog } from "../base/log.ts";
import { ManualClock } from "../base/manual-clock.ts";
import type { GuestEvent } from "../guest/port.ts";
import { ensureAccount } from "../store/accounts.ts";
import { type Database, openDatabase } from "../store/open.ts";
import type { MachineExit } from "../vmm/port.ts";
import { makeSpec } from "./create-spec.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "./lifecycle.ts";
import { LogStore } from "./log-store.ts";
import { OutputFeed } from "./output-feed.ts";
import { Owners } from "./owners.ts";
import { type InstancePort, type InstanceRecord, type InstanceSpec, neverStarted } from "./record.ts";
import { Registry } from "./registry.ts";
import { image, resolveNothing } from "./test-records.ts";

const account = asAccountId("a");
export const id = asInstanceId("00000000-0000-4000-8000-0000000000aa");

/** A guest that does what the test says, and counts what was done to it. */
export class FakeWorld implements Lifecycle {
  readonly calls: string[] = [];
  hooks: StartHooks | undefined;
  exit = Promise.withResolvers<MachineExit>();
  failStart: Error | undefined;
  holdStart: Promise<void> = Promise.resolve();
  adoptable = false;
  /** Called at the beginning of every step of sleep, by its name; what it throws fails the step. */
  atStep: (step: string) => Promise<void> | void = () => {};
  machine: "none" | "running" | "paused" = "none";
  /** Who gets its packets: the guest, the waker, or nobody. */
  packets: "guest" | "waker" | "nobody" = "nobody";
  /** What its agent counts. */
  guest = { connections: 0, inhibitors: 0 };
  snapshot: "good" | "missing" | "corrupt" = "missing";
  stopsWith: GuestEvent | undefined = { kind: "exited", code: 0, signal: 0, oomKilled: false };

  async start(
    record: InstanceRecord,
    mode: string,
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<LiveInstance> {
    this.calls.push(`start ${mode}`);
    this.hooks = hooks;
    signal.throwIfAborted();
    await Promise.race([
      this.holdStart,
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    ]);
    if (this.failStart !== undefined) throw this.failStart;
    await hooks.onProgress({ configured: mode === "run" });
    this.machine = "running";
    this.packets = record.status.sleep === null ? "guest" : "waker";
    return this.#live();
  }

  async adopt(_record: unknown, hooks: StartHooks): Promise<LiveInstance | undefined> {
    this.calls.push("adopt");
    this.hooks = hooks;
    if (!this.adoptable) return undefined;
    this.machine = "running";
    return this.#live();
  }

  async end(): Promise<void> {
    this.calls.push("end");
    this.machine = "none";
    this.packets = "nobody";
    this.snapshot = "missing";
  }

  async #step(step: string): Promise<void> {
    this.calls.push(step);
    await this.atStep(step);
  }

  async hold(): Promise<void> {
    await this.#step("hold");
    this.packets = "waker";
  }

  async pause(
    _record: unknown,
    _live: unknown,
    stillIdle: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    await this.hold();
    if (signal.aborted || !(await stillIdle())) return false;
    await this.#step("pause");
    this.machine = "paused";
    return !signal.aborted;
  }

  async unpause(): Promise<void> {
    await this.#step("unpause");
    assert.notEqual(this.machine, "none");
    this.machine = "running";
    this.packets = "guest";
  }

  async toDisk(_record: unknown, _live: unknown, signal: AbortSignal): Promise<void> {
    assert.equal(this.machine, "paused");
    await this.#step("to disk");
    signal.throwIfAborted();
    this.snapshot = "good";
  }

  async leave(): Promise<void> {
    await this.#step("leave");
    this.machine = "none";
    this.packets = "waker";
  }

  async fromDisk(record: InstanceRecord, hooks: StartHooks, signal: AbortSignal): Promise<LiveInstance> {
    await this.#step("from disk");
    assert.equal(this.machine, "none");
    if (this.snapshot !== "good") throw new UniError("wrong_state", `resume: ${this.snapshot}`);
    signal.throwIfAborted();
    this.hooks = hooks;
    const { sleep } = record.status;
    await hooks.onProgress({ sleep: sleep === null ? null : { ...sleep, tier: "paused" } });
    this.machine = "running";
    return this.#live();
  }

  async checkSnapshot() {
    return this.snapshot;
  }

  async findPaused(): Promise<boolean> {
    this.snapshot = "missing";
    return this.machine !== "none";
  }

  async admitPackets(): Promise<void> {
    await this.#step("admit");
    this.packets = "guest";
  }

  readonly publish: Lifecycle["publish"] = async (_record, wishes, save) => {
    this.calls.push("publish");
    await save(wishes as readonly InstancePort[]);
  };

  async release(): Promise<void> {
    this.calls.push("release");
  }

  async erase(): Promise<void> {
    this.calls.push("erase");
  }

  readonly resolveRoms = resolveNothing;
  /** What bringing its media fails with. */
  failMedia: Error | undefined;

  async bringMedia(): Promise<Partial<InstanceSpec>> {
    this.calls.push("bring media");
    if (this.failMedia !== undefined) throw this.failMedia;
    return { imageDigest: image.image.digest, media: null };
  }

  async resolveImage(_account: AccountId, given: ImageReference) {
    const reference = typeof given === "string" ? given : given.url;
    return { reference, digest: `sha256:${"1".repeat(64)}` as Digest };
  }

  #live(): LiveInstance {
    this.exit = Promise.withResolvers<MachineExit>();
    const channel = {
      stop: async () => {
        this.calls.push("stop");
        if (this.stopsWith === undefined) return new Promise<void>(() => {});
        await this.hooks?.onEvent(this.stopsWith);
      },
      powerOff: async () => void this.calls.push("power off"),
      close: async () => {},
      closed: new Promise<void>(() => {}),
      stats: async () => this.guest,
      notify: async (text: string) => void this.calls.push(`notify ${text}`),
    };
    const machine = { exited: this.exit.promise, lastWords: async () => "" };
    return { machine, channel } as unknown as LiveInstance;
  }
}

export interface World {
  readonly world: FakeWorld;
  readonly owners: Owners;
  readonly registry: Registry;
  readonly clock: ManualClock;
  readonly db: Database;
  readonly wakesMs: number[];
  /** As after the daemon's death: what it had in memory is gone, the world goes on. */
  readonly reopen: () => Promise<{ owners: Owners; registry: Registry }>;
}

export async function withInstance(
  spec: Partial<InstanceSpec>,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-owner-"));
  const db = await openDatabase(join(directory, "uni.db"));
  await ensureAccount(db, { id: account, name: "admin" }, 1);
  const clock = new ManualClock();
  const world = new FakeWorld();
  const opened: Owners[] = [];
  const wakesMs: number[] = [];
  const open = async () => {
    const registry = await Registry.open(db);
    const owners = new Owners({
      registry,
      lifecycle: world,
      clock,
      log: silentLog,
      feed: new OutputFeed(clock),
      onGuestRequest: () => {},
      onReached: () => {},
      onWoken: (_id, latencyMs) => wakesMs.push(latencyMs),
      openLog: () => LogStore.open(join(directory, "log")),
    });
    opened.push(owners);
    return { registry, owners };
  };
  const { registry, owners } = await open();
  const whole = { ...makeSpec({}, image), ...spec };
  await registry.insert([
    { id, account, name: "web", address: "10.0.0.1", createdAt: 1, spec: whole, status: neverStarted },
  ]);
  try {
    await body({ world, owners, registry, clock, db, wakesMs, reopen: open });
  } finally {
    for (const each of opened) await each.release();
    await db.destroy();
    rmSync(directory, { recursive: true, force: true });
  }
}

export const started: GuestEvent = { kind: "started", us: 1 };
export const exited = (code: number): GuestEvent => ({ kind: "exited", code, signal: 0, oomKilled: false });

export async function running({ world, owners, registry }: World): Promise<void> {
  await owners.of(id).start();
  await world.hooks?.onEvent(started);
  assert.equal(registry.get(id).status.state, "running");
}
