import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { readScaleToZero } from "../instances/scale-to-zero.ts";
import { id, running, type World, withInstance } from "../instances/test-world.ts";
import { DeepSleep } from "./deep-sleep.ts";

const keep = { keepMemory: true, stillIdle: async () => true };

function sleeping(
  afterMs: number,
  body: (world: World, memory: { short: boolean }) => Promise<void>,
): Promise<void> {
  const scaleToZero = readScaleToZero({ policy: "idle", stateful: true });
  return withInstance({ scaleToZero }, async (world) => {
    const memory = { short: false };
    const deep = new DeepSleep({
      ...world,
      log: silentLog,
      afterMs,
      isShortOfMemory: async () => memory.short,
    });
    try {
      await running(world);
      await world.owners.of(id).sleep(keep);
      await body(world, memory);
    } finally {
      await deep.close();
    }
  });
}

const tierOf = ({ registry }: World) => registry.get(id).status.sleep?.tier;

test("a sleeper goes to disk after the while that it is given", async () => {
  await sleeping(60_000, async (world) => {
    await world.clock.advance(59_000);
    assert.equal(tierOf(world), "paused");
    await world.clock.advance(1_000);
    assert.equal(tierOf(world), "disk");
  });
});

test("with no while at all it goes at once", async () => {
  await sleeping(0, async (world) => {
    await world.clock.advance(0);
    assert.equal(tierOf(world), "disk");
  });
});

test("it goes sooner while the host is short of memory", async () => {
  await sleeping(600_000, async (world, memory) => {
    await world.clock.advance(30_000);
    assert.equal(tierOf(world), "paused");
    memory.short = true;
    await world.clock.advance(5_000);
    assert.equal(tierOf(world), "disk");
  });
});

test("what could not be written is tried again, and not without a pause", async () => {
  await sleeping(1_000, async (world) => {
    let tries = 0;
    world.world.atStep = (step) => {
      if (step !== "to disk") return;
      tries += 1;
      throw new Error("the disk is full");
    };
    await world.clock.advance(20_000);
    assert.deepEqual([tries, tierOf(world)], [1, "paused"]);
    world.world.atStep = () => {};
    await world.clock.advance(20_000);
    assert.equal(tierOf(world), "disk");
  });
});
