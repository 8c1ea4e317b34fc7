import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { asAccountId, asInstanceId, type Digest } from "@uni/contract/ids";
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
import { type InstanceSpec, neverStarted } from "./record.ts";
import { Registry } from "./registry.ts";

const account = asAccountId("a");
const id = asInstanceId("00000000-0000-4000-8000-0000000000aa");

/** A guest that does what the test says, and counts what was done to it. */
class FakeWorld implements Lifecycle {
  readonly calls: string[] = [];
  hooks: StartHooks | undefined;
  exit = Promise.withResolvers<MachineExit>();
  failStart: Error | undefined;
  holdStart: Promise<void> = Promise.resolve();
  adoptable = false;
  stopsWith: GuestEvent | undefined = { kind: "exited", code: 0, signal: 0, oomKilled: false };

  async start(_record: unknown, mode: string, hooks: StartHooks, signal: AbortSignal): Promise<LiveInstance> {
    this.calls.push(`start ${mode}`);
    this.hooks = hooks;
    signal.throwIfAborted();
    await Promise.race([
      this.holdStart,
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    ]);
    if (this.failStart !== undefined) throw this.failStart;
    await hooks.onProgress({ configured: mode === "run" });
    return this.#live();
  }

  async adopt(_record: unknown, hooks: StartHooks): Promise<LiveInstance | undefined> {
    this.calls.push("adopt");
    this.hooks = hooks;
    return this.adoptable ? this.#live() : undefined;
  }

  async end(): Promise<void> {
    this.calls.push("end");
  }

  async release(): Promise<void> {
    this.calls.push("release");
  }

  async erase(): Promise<void> {
    this.calls.push("erase");
  }

  async resolveImage(reference: string) {
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
    };
    const machine = { exited: this.exit.promise, lastWords: async () => "" };
    return { machine, channel } as unknown as LiveInstance;
  }
}

interface World {
  readonly world: FakeWorld;
  readonly owners: Owners;
  readonly registry: Registry;
  readonly clock: ManualClock;
  readonly db: Database;
  readonly reopen: () => Promise<{ owners: Owners; registry: Registry }>;
}

async function withInstance(
  spec: Partial<InstanceSpec>,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-owner-"));
  const db = await openDatabase(join(directory, "uni.db"));
  await ensureAccount(db, { id: account, name: "admin" }, 1);
  const clock = new ManualClock();
  const world = new FakeWorld();
  const opened: Owners[] = [];
  const open = async () => {
    const registry = await Registry.open(db);
    const owners = new Owners({
      registry,
      lifecycle: world,
      clock,
      log: silentLog,
      feed: new OutputFeed(clock),
      openLog: () => LogStore.open(join(directory, "log")),
    });
    opened.push(owners);
    return { registry, owners };
  };
  const { registry, owners } = await open();
  const image = { reference: "hello:latest", digest: `sha256:${"0".repeat(64)}` as Digest, hasProgram: true };
  const whole = { ...makeSpec({}, image), ...spec };
  await registry.insert([
    { id, account, name: "web", address: "10.0.0.1", createdAt: 1, spec: whole, status: neverStarted },
  ]);
  try {
    await body({ world, owners, registry, clock, db, reopen: open });
  } finally {
    for (const each of opened) await each.release();
    await db.destroy();
    rmSync(directory, { recursive: true, force: true });
  }
}

const started: GuestEvent = { kind: "started", us: 1 };
const exited = (code: number): GuestEvent => ({ kind: "exited", code, signal: 0, oomKilled: false });

async function running({ world, owners, registry }: World): Promise<void> {
  await owners.of(id).start();
  await world.hooks?.onEvent(started);
  assert.equal(registry.get(id).status.state, "running");
}

test("start, run, stop: states, reasons and counts", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.owners.of(id).stop({ force: false, graceMs: 1000 });
    const { status } = all.registry.get(id);
    assert.deepEqual(
      [status.state, status.stopReason, status.exitCode, status.startCount],
      ["stopped", 15, 0, 1],
    );
    assert.deepEqual(all.world.calls, ["start run", "stop", "power off", "end"]);
  });
});

test("a program that ends by itself leaves nothing running", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.world.hooks?.onEvent(exited(7));
    await all.owners.of(id).idle();
    const { status } = all.registry.get(id);
    assert.deepEqual([status.state, status.stopReason, status.exitCode], ["stopped", 3, 7]);
    assert.equal(all.world.calls.at(-1), "end");
  });
});

test("a start that fails says why and can be tried again", async () => {
  await withInstance({}, async (all) => {
    all.world.failStart = new Error("no room");
    await assert.rejects(all.owners.of(id).start(), /no room/);
    assert.match(all.registry.get(id).status.exitReason ?? "", /no room/);
    assert.equal(all.registry.get(id).status.state, "stopped");
    all.world.failStart = undefined;
    await running(all);
  });
});

test("a stop interrupts a start, and a force interrupts a stop that waits", async () => {
  await withInstance({}, async (all) => {
    all.world.holdStart = new Promise(() => {});
    const start = all.owners.of(id).start();
    start.catch(() => {});
    await all.owners.of(id).stop({ force: false, graceMs: 0 });
    await assert.rejects(start, /interrupted by a stop/);
    assert.equal(all.registry.get(id).status.state, "stopped");
    all.world.holdStart = Promise.resolve();
    all.world.stopsWith = undefined;
    await running(all);
    const slow = all.owners.of(id).stop({ force: false, graceMs: 60_000 });
    await all.clock.advance(10);
    assert.equal(all.registry.get(id).status.state, "stopping");
    await all.owners.of(id).stop({ force: true, graceMs: 0 });
    await slow;
    assert.deepEqual(
      [all.registry.get(id).status.state, all.registry.get(id).status.stopReason],
      ["stopped", 28],
    );
  });
});

test("a guest that ignores the stop is cut off after the grace period", async () => {
  await withInstance({}, async (all) => {
    all.world.stopsWith = undefined;
    await running(all);
    const stop = all.owners.of(id).stop({ force: false, graceMs: 1000 });
    await all.clock.advance(0);
    await all.clock.advance(6000);
    await stop;
    assert.equal(all.registry.get(id).status.stopReason, 28);
  });
});

test("policy always restarts with the documented delays until a stop", async () => {
  await withInstance({ restartPolicy: "always" }, async (all) => {
    await running(all);
    await all.world.hooks?.onEvent(exited(0));
    await all.owners.of(id).idle();
    await all.clock.advance(0);
    assert.deepEqual(
      [all.registry.get(id).status.state, all.registry.get(id).status.restartCount],
      ["starting", 1],
    );
    await all.world.hooks?.onEvent(started);
    await all.world.hooks?.onEvent(exited(0));
    await all.owners.of(id).idle();
    const { restart } = all.registry.get(id).status;
    assert.deepEqual([restart?.attempt, (restart?.nextAt ?? 0) - all.clock.now()], [2, 5000]);
    await all.owners.of(id).stop({ force: false, graceMs: 0 });
    await all.clock.advance(10_000);
    assert.equal(all.registry.get(id).status.state, "stopped");
    assert.equal(all.registry.get(id).status.restart, null);
  });
});

test("the monitor's death stops the instance, and on-failure brings it back", async () => {
  await withInstance({ restartPolicy: "on-failure" }, async (all) => {
    await running(all);
    all.world.exit.resolve({ kind: "vmm-died" });
    await all.clock.advance(0);
    await all.owners.of(id).idle();
    await all.clock.advance(0);
    assert.equal(all.registry.get(id).status.state, "starting");
    assert.equal(all.world.calls.filter((call) => call === "start run").length, 2);
  });
});

test("a deletion ends a running instance and leaves no record", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.owners.of(id).delete();
    assert.equal(all.registry.find(id), undefined);
    assert.deepEqual(all.world.calls.slice(-2), ["end", "erase"]);
  });
});

test("a delete lock refuses, a cleared one does not", async () => {
  await withInstance({ deleteLock: true }, async (all) => {
    assert.throws(
      () => all.owners.of(id).delete(),
      (error: UniError) => error.code === "delete_locked",
    );
    await all.owners.of(id).update({ prop: "delete_lock", op: "set", value: false });
    await all.owners.of(id).delete();
    assert.equal(all.registry.find(id), undefined);
  });
});

test("delete-on-stop deletes once it has stopped", async () => {
  await withInstance({ features: ["delete-on-stop"] }, async (all) => {
    await running(all);
    await all.world.hooks?.onEvent(exited(0));
    await all.owners.of(id).idle();
    assert.equal(all.registry.get(id).status.exitCode, 0);
    await all.clock.advance(3000);
    assert.equal(all.registry.find(id), undefined);
  });
});

test("a change that needs a stop is kept until then; a failing one says why", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.owners.of(id).update({ prop: "memory_mb", op: "set", value: 512 });
    await all.owners.of(id).update({ prop: "tags", op: "set", value: ["a"] });
    const { spec, status } = all.registry.get(id);
    assert.deepEqual([spec.memoryMb, spec.tags, status.updates.length], [128, ["a"], 1]);
    await all.owners.of(id).stop({ force: false, graceMs: 0 });
    assert.equal(all.registry.get(id).spec.memoryMb, 512);
    assert.deepEqual(all.registry.get(id).status.updates, []);
  });
});

test("a new daemon takes over a running machine and hears its end", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    all.world.adoptable = true;
    const next = await all.reopen();
    await next.owners.of(id).recover(Promise.resolve());
    assert.equal(next.registry.get(id).status.state, "running");
    await all.world.hooks?.onEvent(exited(5));
    await next.owners.of(id).idle();
    assert.deepEqual(
      [next.registry.get(id).status.state, next.registry.get(id).status.exitCode],
      ["stopped", 5],
    );
  });
});

test("a new daemon ends a run whose end was reported but not acted on", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    await all.registry.change(id, { status: { exit: exited(9) as never } });
    all.world.adoptable = true;
    const next = await all.reopen();
    await next.owners.of(id).recover(Promise.resolve());
    const { status } = next.registry.get(id);
    assert.deepEqual([status.state, status.exitCode, status.stopReason], ["stopped", 9, 3]);
  });
});

test("a new daemon finishes what was half done: start, stop, delete", async () => {
  const half = {
    start: { state: "starting", intent: "run", configured: false, startCount: 1 },
    stop: { state: "stopping", intent: "stop", configured: true, startCount: 1 },
    delete: { state: "running", intent: "delete", configured: true, startCount: 1 },
  } as const;
  for (const [what, status] of Object.entries(half)) {
    await withInstance({}, async (all) => {
      await all.registry.change(id, { status });
      all.world.adoptable = true;
      const next = await all.reopen();
      await next.owners.of(id).recover(Promise.resolve());
      const after = next.registry.find(id)?.status;
      if (what === "delete") assert.equal(after, undefined);
      if (what === "stop") assert.deepEqual([after?.state, after?.stopReason], ["stopped", 15]);
      if (what === "start") assert.deepEqual([after?.state, after?.startCount], ["starting", 1]);
    });
  }
});

test("a machine that was gone when the daemon came back is told so", async () => {
  await withInstance({}, async (all) => {
    await running(all);
    const next = await all.reopen();
    await next.owners.of(id).recover(Promise.resolve());
    assert.match(next.registry.get(id).status.exitReason ?? "", /monitor ended unexpectedly/);
  });
});

test("files of a stopped instance are reached without running its program", async () => {
  await withInstance({}, async (all) => {
    const answer = await all.owners.of(id).maintain(async () => "read");
    assert.equal(answer, "read");
    assert.deepEqual(all.world.calls, ["start maintenance", "power off", "end"]);
    assert.equal(all.registry.get(id).status.state, "stopped");
    await running(all);
    await assert.rejects(
      all.owners.of(id).maintain(async () => {}),
      /it is running/,
    );
  });
});
