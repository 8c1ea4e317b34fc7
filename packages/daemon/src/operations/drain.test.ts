import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import { Drains } from "../instances/drains.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import type { Registry } from "../instances/registry.ts";
import { recordOf, withRegistry } from "../instances/test-records.ts";
import { beginDrain } from "./drain.ts";

const record = recordOf(1, { status: { state: "running", intent: "run", startCount: 1 } });
const { id } = record;

interface Scene {
  readonly clock: ManualClock;
  readonly registry: Registry;
  connections: number | Error;
  /** What was done, in its order; "edge" is the edge being told. */
  readonly done: string[];
  /** Begins a drain whose work is noted; resolves once the edge knows. */
  readonly drain: (ms: number) => Promise<{ readonly over: Promise<void> }>;
}

async function withDrain(body: (scene: Scene) => Promise<void>): Promise<void> {
  await withRegistry([record], async (registry) => {
    const clock = new ManualClock();
    const done: string[] = [];
    const stats = async () => {
      if (scene.connections instanceof Error) throw scene.connections;
      return { connections: scene.connections };
    };
    const live = { machine: { paused: false }, channel: { stats } } as unknown as LiveInstance;
    const deps = {
      clock,
      drains: new Drains(),
      registry,
      live: () => live,
      applyEdge: async () => void done.push("edge"),
    };
    const scene: Scene = {
      clock,
      registry,
      connections: 0,
      done,
      async drain(ms) {
        const finish = await beginDrain(deps, id, { goal: "stop", ms });
        return { over: finish(async () => void done.push("work")) };
      },
    };
    await body(scene);
  });
}

test("without a time to drain the work is done at once, and the edge is not asked", async () => {
  await withDrain(async (scene) => {
    scene.connections = 3;
    await (await scene.drain(0)).over;
    assert.deepEqual(scene.done, ["work"]);
  });
});

test("the edge knows first, and the work is done when the last connection has ended", async () => {
  await withDrain(async (scene) => {
    scene.connections = 2;
    const { over } = await scene.drain(60_000);
    await scene.clock.advance(30_000);
    assert.deepEqual(scene.done, ["edge"]);
    scene.connections = 0;
    await scene.clock.advance(1_000);
    await over;
    assert.deepEqual(scene.done, ["edge", "work", "edge"]);
  });
});

test("it is not waited for longer than was asked, nor for a guest that does not answer", async () => {
  await withDrain(async (scene) => {
    scene.connections = 1;
    await scene.drain(1_500);
    await scene.clock.advance(1_499);
    assert.deepEqual(scene.done, ["edge"]);
    await scene.clock.advance(1);
    assert.deepEqual(scene.done, ["edge", "work", "edge"]);
    scene.connections = new Error("no answer");
    await (await scene.drain(60_000)).over;
  });
});

test("the work is not done on another run, nor on one that has ended", async () => {
  for (const status of [{ startCount: 2 }, { state: "stopped" }] as const) {
    await withDrain(async (scene) => {
      scene.connections = 1;
      const { over } = await scene.drain(60_000);
      await scene.registry.change(id, { status });
      await scene.clock.advance(1_000);
      await over;
      assert.deepEqual(scene.done, ["edge", "edge"]);
    });
  }
});

test("work that fails ends the drain as well", async () => {
  await withDrain(async ({ clock, registry, done }) => {
    const drains = new Drains();
    const applyEdge = async () => void done.push(drains.shown(record).status.state);
    const deps = { clock, registry, drains, live: () => undefined, applyEdge };
    const finish = await beginDrain(deps, id, { goal: "sleep", ms: 1 });
    await assert.rejects(
      finish(() => Promise.reject(new Error("device busy"))),
      /device busy/,
    );
    assert.deepEqual(done, ["draining", "running"]);
  });
});
