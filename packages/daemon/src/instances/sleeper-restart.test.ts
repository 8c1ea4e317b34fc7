/** The daemon dies between any two steps of sleep; the next one finishes or undoes what it finds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readScaleToZero } from "./scale-to-zero.ts";
import { id, running, started, type World, withInstance } from "./test-world.ts";

const stateful = { scaleToZero: readScaleToZero({ policy: "idle", stateful: true }) };
const stateless = { scaleToZero: readScaleToZero({ policy: "idle" }) };
const keep = { keepMemory: true, stillIdle: async () => true };
const forever = new Promise<void>(() => {});

/** From the named step on, the daemon does nothing any more. */
function dieAt({ world }: World, step: string): Promise<void> {
  const died = Promise.withResolvers<void>();
  world.atStep = (now) => {
    if (now !== step) return;
    died.resolve();
    return forever;
  };
  return died.promise;
}

async function nextDaemon(all: World) {
  all.world.atStep = () => {};
  all.world.adoptable = all.world.machine !== "none";
  const next = await all.reopen();
  await next.owners.of(id).recover(Promise.resolve());
  return next;
}

const stateOf = ({ registry }: Pick<World, "registry">) => {
  const { state, sleep } = registry.get(id).status;
  return sleep === null ? state : `${state} ${sleep.tier}`;
};

for (const [step, packet] of [
  ["hold", false],
  ["pause", false],
  ["hold", true],
  ["pause", true],
] as const) {
  const after = packet ? ", after a packet came" : "";
  test(`died while falling asleep, at '${step}'${after}: awake again`, async () => {
    await withInstance(stateful, async (all) => {
      await running(all);
      const died = dieAt(all, step);
      void all.owners.of(id).sleep(keep);
      await died;
      if (packet) void all.owners.of(id).wake();
      const next = await nextDaemon(all);
      assert.equal(stateOf(next), "running");
      assert.deepEqual([all.world.machine, all.world.packets], ["running", "guest"]);
    });
  });
}

test("died after it paused and before the record said so: awake again", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.owners.of(id).sleep(keep);
    await all.registry.change(id, { status: { state: "stopping", sleep: null } });
    const next = await nextDaemon(all);
    assert.equal(stateOf(next), "running");
    assert.equal(all.world.packets, "guest");
  });
});

test("died while it slept paused: it sleeps on, and a packet wakes it", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.owners.of(id).sleep(keep);
    const next = await nextDaemon(all);
    assert.deepEqual([stateOf(next), all.world.machine], ["standby paused", "paused"]);
    await next.owners.of(id).wake();
    assert.deepEqual([stateOf(next), all.world.packets], ["running", "guest"]);
  });
});

test("a packet that comes before the new daemon has looked around wakes it all the same", async () => {
  for (const tier of ["paused", "disk"]) {
    await withInstance(stateful, async (all) => {
      await running(all);
      await all.owners.of(id).sleep(keep);
      if (tier === "disk") await all.owners.of(id).sleepDeeper();
      all.world.adoptable = true;
      const next = await all.reopen();
      const looked = Promise.withResolvers<void>();
      const recovered = next.owners.of(id).recover(looked.promise);
      const woken = next.owners.of(id).wake();
      await all.clock.advance(0);
      looked.resolve();
      await Promise.all([recovered, woken]);
      assert.deepEqual([stateOf(next), all.world.packets], ["running", "guest"]);
    });
  }
});

test("died while it slept paused, and so did its monitor: the run is over", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.owners.of(id).sleep(keep);
    all.world.machine = "none";
    assert.equal(stateOf(await nextDaemon(all)), "stopped");
  });
});

test("died while the snapshot was written, or before the record knew of it: it sleeps paused, nothing is left", async () => {
  for (const written of [false, true]) {
    await withInstance(stateful, async (all) => {
      await running(all);
      await all.owners.of(id).sleep(keep);
      const died = dieAt(all, "to disk");
      void all.owners.of(id).sleepDeeper();
      await died;
      if (written) all.world.snapshot = "good";
      const next = await nextDaemon(all);
      assert.deepEqual([stateOf(next), all.world.snapshot], ["standby paused", "missing"]);
      await next.owners.of(id).wake();
      assert.equal(stateOf(next), "running");
    });
  }
});

test("died before its process was ended: it ends, the memory is on disk", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.owners.of(id).sleep(keep);
    const died = dieAt(all, "leave");
    void all.owners.of(id).sleepDeeper();
    await died;
    const next = await nextDaemon(all);
    assert.deepEqual([stateOf(next), all.world.machine], ["standby disk", "none"]);
    await next.owners.of(id).wake();
    assert.equal(stateOf(next), "running");
  });
});

for (const [step, tier] of [
  ["unpause", "paused"],
  ["from disk", "disk"],
  ["unpause", "disk"],
] as const) {
  test(`died while it woke from '${tier}', at '${step}': it wakes`, async () => {
    await withInstance(stateful, async (all) => {
      await running(all);
      await all.owners.of(id).sleep(keep);
      if (tier === "disk") await all.owners.of(id).sleepDeeper();
      const died = dieAt(all, step);
      void all.owners.of(id).wake();
      await died;
      const next = await nextDaemon(all);
      assert.equal(stateOf(next), "running");
      assert.deepEqual([all.world.machine, all.world.packets], ["running", "guest"]);
    });
  });
}

test("died while its process was started to wake it: that one ends, and it wakes", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.owners.of(id).sleep(keep);
    await all.owners.of(id).sleepDeeper();
    const died = dieAt(all, "from disk");
    void all.owners.of(id).wake();
    await died;
    all.world.machine = "paused";
    const next = await nextDaemon(all);
    assert.equal(stateOf(next), "running");
    assert.deepEqual([all.world.machine, all.world.packets], ["running", "guest"]);
  });
});

test("died with its monitor after the wake's first instruction: an old snapshot is not resumed", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.owners.of(id).sleep(keep);
    await all.owners.of(id).sleepDeeper();
    const died = dieAt(all, "unpause");
    void all.owners.of(id).wake();
    await died;
    all.world.machine = "none";
    const next = await nextDaemon(all);
    assert.equal(stateOf(next), "stopped");
    assert.equal(all.world.calls.filter((call) => call === "from disk").length, 1);
  });
});

test("died while its program was stopped for its sleep: the stop goes on", async () => {
  await withInstance(stateless, async (all) => {
    await running(all);
    const died = dieAt(all, "hold");
    void all.owners.of(id).sleep({ ...keep, keepMemory: false });
    await died;
    const next = await nextDaemon(all);
    assert.deepEqual([stateOf(next), all.world.machine, all.world.packets], ["standby off", "none", "waker"]);
    await next.owners.of(id).wake();
    assert.equal(next.registry.get(id).status.state, "starting");
  });
});

test("died while one booted to be woken: packets still wait for its first listener", async () => {
  await withInstance(stateless, async (all) => {
    await running(all);
    await all.owners.of(id).sleep({ ...keep, keepMemory: false });
    await all.owners.of(id).wake();
    await all.world.hooks?.onEvent(started);
    const next = await nextDaemon(all);
    assert.equal(all.world.packets, "waker");
    await all.world.hooks?.onEvent({ kind: "listening", port: 80, us: 5 });
    await next.owners.of(id).idle();
    assert.deepEqual([stateOf(next), all.world.packets], ["running", "guest"]);
  });
});

test("died while it was stopped out of its sleep: the stop goes on", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.owners.of(id).sleep(keep);
    const died = dieAt(all, "unpause");
    void all.owners.of(id).stop({ force: false, graceMs: 1000 });
    await died;
    const next = await nextDaemon(all);
    assert.deepEqual([stateOf(next), all.world.machine], ["stopped", "none"]);
  });
});
