import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { readScaleToZero } from "./scale-to-zero.ts";
import { exited, id, running, started, type World, withInstance } from "./test-world.ts";

const stateful = { scaleToZero: readScaleToZero({ policy: "idle", stateful: true }) };
const stateless = { scaleToZero: readScaleToZero({ policy: "idle" }) };
const yes = async () => true;
const keep = { keepMemory: true, stillIdle: yes };

/** The packet goes out at once; what it begins is waited for with `owner.idle`. */
const packet = (all: Pick<World, "owners">): void =>
  void all.owners
    .of(id)
    .wake()
    .catch(() => {});

async function asleep(all: World, tier: "paused" | "disk" = "paused"): Promise<void> {
  await running(all);
  await all.owners.of(id).sleep(keep);
  if (tier === "disk") await all.owners.of(id).sleepDeeper();
  const { state, sleep } = all.registry.get(id).status;
  assert.deepEqual([state, sleep?.tier], ["standby", tier]);
}

function assertAwake({ world, registry }: Pick<World, "world" | "registry">): void {
  const { state, intent, sleep } = registry.get(id).status;
  assert.deepEqual([state, intent, sleep], ["running", "run", null]);
  assert.deepEqual([world.machine, world.packets], ["running", "guest"]);
}

test("falling asleep holds packets before it pauses; waking gives the route back last", async () => {
  await withInstance(stateful, async (all) => {
    await asleep(all);
    const { status } = all.registry.get(id);
    assert.deepEqual([status.stopReason, all.world.packets, all.world.machine], [39, "waker", "paused"]);
    await all.clock.advance(5);
    await all.owners.of(id).wake();
    assertAwake(all);
    assert.deepEqual(all.world.calls, ["start run", "hold", "pause", "unpause"]);
    assert.equal(all.registry.get(id).status.startCount, 2);
    assert.equal(all.wakesMs.length, 1);
  });
});

test("to disk and back: the process goes after the record says so, and comes back out of the snapshot", async () => {
  await withInstance(stateful, async (all) => {
    await asleep(all, "disk");
    assert.deepEqual([all.world.machine, all.world.packets], ["none", "waker"]);
    await all.owners.of(id).wake();
    assertAwake(all);
    assert.deepEqual(all.world.calls.slice(3), ["to disk", "leave", "from disk", "unpause"]);
  });
});

for (const step of ["hold", "pause"]) {
  test(`a packet while falling asleep, at '${step}', turns it back`, async () => {
    await withInstance(stateful, async (all) => {
      await running(all);
      all.world.atStep = (now) => {
        if (now === step) packet(all);
      };
      await all.owners.of(id).sleep(keep);
      await all.owners.of(id).idle();
      assertAwake(all);
    });
  });
}

for (const step of ["to disk", "leave"]) {
  test(`a packet on the way to disk, at '${step}', wakes it`, async () => {
    await withInstance(stateful, async (all) => {
      await asleep(all);
      all.world.atStep = (now) => {
        if (now === step) packet(all);
      };
      await all.owners.of(id).sleepDeeper();
      await all.owners.of(id).idle();
      await all.clock.advance(0);
      assertAwake(all);
      assert.equal(all.world.calls.includes("from disk"), step === "leave");
    });
  });
}

test("a packet before the task to disk has its turn leaves it paused, and wakes it", async () => {
  await withInstance(stateful, async (all) => {
    await asleep(all);
    const wake = all.owners.of(id).wake();
    await all.owners.of(id).sleepDeeper();
    await wake;
    assertAwake(all);
    assert.equal(all.world.calls.includes("to disk"), false);
  });
});

test("fifty packets at once are one wake", async () => {
  for (const tier of ["paused", "disk"] as const) {
    await withInstance(stateful, async (all) => {
      await asleep(all, tier);
      await Promise.all(Array.from({ length: 50 }, () => all.owners.of(id).wake()));
      assertAwake(all);
      assert.equal(all.world.calls.filter((call) => call === "unpause").length, 1);
      assert.deepEqual([all.wakesMs.length, all.registry.get(id).status.startCount], [1, 2]);
    });
  }
});

test("what is not idle any more once its packets are held does not sleep", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.owners.of(id).sleep({ keepMemory: true, stillIdle: async () => false });
    assertAwake(all);
    assert.equal(all.world.calls.includes("pause"), false);
    assert.equal(all.registry.get(id).status.startCount, 1);
  });
});

test("a failure while falling asleep turns it back, a failing snapshot leaves it paused", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    const fail = (step: string) => (now: string) => {
      if (now === step) throw new Error("no luck");
    };
    all.world.atStep = fail("pause");
    await all.owners.of(id).sleep(keep);
    assertAwake(all);
    all.world.atStep = fail("to disk");
    await all.owners.of(id).sleep(keep);
    await assert.rejects(all.owners.of(id).sleepDeeper(), /no luck/);
    assert.equal(all.registry.get(id).status.sleep?.tier, "paused");
    await all.owners.of(id).wake();
    assertAwake(all);
  });
});

test("uptime does not count sleep", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    await all.clock.advance(1000);
    await all.owners.of(id).sleep(keep);
    await all.clock.advance(60_000);
    await all.owners.of(id).wake();
    await all.clock.advance(500);
    await all.owners.of(id).stop({ force: true, graceMs: 0 });
    assert.equal(all.registry.get(id).status.uptimeMs, 1500);
  });
});

test("a polite stop wakes the sleeper, so that its program can end; a forced one does not", async () => {
  for (const tier of ["paused", "disk"] as const) {
    await withInstance(stateful, async (all) => {
      await asleep(all, tier);
      await all.owners.of(id).stop({ force: false, graceMs: 1000 });
      const { status } = all.registry.get(id);
      assert.deepEqual([status.state, status.stopReason, status.sleep], ["stopped", 15, null]);
      assert.ok(all.world.calls.includes("stop"));
      assert.deepEqual([all.world.machine, all.world.snapshot], ["none", "missing"]);
      await running(all);
      await all.owners.of(id).sleep(keep);
      await all.owners.of(id).stop({ force: true, graceMs: 0 });
      assert.equal(all.registry.get(id).status.stopReason, 28);
    });
  }
});

test("a stop or a deletion while it falls asleep wins", async () => {
  await withInstance(stateful, async (all) => {
    await running(all);
    let stop: Promise<void> | undefined;
    all.world.atStep = (now) => {
      if (now === "pause") stop = all.owners.of(id).stop({ force: false, graceMs: 1000 });
    };
    await all.owners.of(id).sleep(keep);
    await stop;
    assert.equal(all.registry.get(id).status.state, "stopped");
    all.world.atStep = () => {};
    await asleep(all, "disk");
    await all.owners.of(id).delete();
    assert.equal(all.registry.find(id), undefined);
    assert.deepEqual(all.world.calls.slice(-2), ["end", "erase"]);
  });
});

test("without memory to keep it is stopped, and boots when woken; packets wait until it listens", async () => {
  await withInstance(stateless, async (all) => {
    await running(all);
    await all.owners.of(id).sleep({ keepMemory: false, stillIdle: yes });
    const { status } = all.registry.get(id);
    assert.deepEqual([status.state, status.sleep?.tier, status.stopReason], ["standby", "off", 39]);
    assert.deepEqual([all.world.machine, all.world.packets], ["none", "waker"]);
    await all.owners.of(id).wake();
    await all.world.hooks?.onEvent(started);
    assert.deepEqual([all.registry.get(id).status.state, all.world.packets], ["running", "waker"]);
    await all.world.hooks?.onEvent({ kind: "listening", port: 80, us: 5 });
    await all.owners.of(id).idle();
    assertAwake(all);
  });
});

test("a woken program that never listens gets its packets after ten seconds", async () => {
  await withInstance(stateless, async (all) => {
    await running(all);
    await all.owners.of(id).sleep({ keepMemory: false, stillIdle: yes });
    await all.owners.of(id).wake();
    await all.world.hooks?.onEvent(started);
    await all.clock.advance(9_999);
    assert.equal(all.world.packets, "waker");
    await all.clock.advance(1);
    assertAwake(all);
  });
});

test("a packet while a program is being stopped for its sleep starts it again", async () => {
  await withInstance(stateless, async (all) => {
    await running(all);
    all.world.atStep = (now) => {
      if (now === "hold") packet(all);
    };
    await all.owners.of(id).sleep({ keepMemory: false, stillIdle: yes });
    await all.owners.of(id).idle();
    assert.equal(all.registry.get(id).status.state, "starting");
    assert.equal(all.world.calls.filter((call) => call === "start run").length, 2);
  });
});

test("a sleeper without memory stops without being started", async () => {
  await withInstance(stateless, async (all) => {
    await running(all);
    await all.owners.of(id).sleep({ keepMemory: false, stillIdle: yes });
    await all.owners.of(id).stop({ force: false, graceMs: 1000 });
    const { status } = all.registry.get(id);
    assert.deepEqual([status.state, status.stopReason, status.sleep], ["stopped", 15, null]);
    assert.equal(all.world.calls.filter((call) => call === "start run").length, 1);
  });
});

test("a damaged snapshot: an error with a way out for what is stateful, a cold start for what is not", async () => {
  await withInstance(stateful, async (all) => {
    await asleep(all, "disk");
    all.world.snapshot = "corrupt";
    await assert.rejects(
      all.owners.of(id).start(),
      (error: UniError) => error instanceof UniError && (error.hint ?? "").includes("uni start --cold web"),
    );
    assert.deepEqual([all.registry.get(id).status.state, all.world.packets], ["standby", "waker"]);
    await all.owners.of(id).start({ cold: true });
    await all.world.hooks?.onEvent(started);
    assertAwake(all);
  });
  await withInstance({}, async (all) => {
    await asleep(all, "disk");
    all.world.snapshot = "missing";
    await all.owners.of(id).wake();
    await all.world.hooks?.onEvent(started);
    await all.world.hooks?.onEvent({ kind: "listening", port: 80, us: 5 });
    await all.owners.of(id).idle();
    assertAwake(all);
  });
});

test("a wake that fails for another reason leaves the memory where it is", async () => {
  await withInstance({}, async (all) => {
    await asleep(all, "disk");
    all.world.atStep = (now) => {
      if (now === "from disk") throw new UniError("no_space", "start the monitor: no memory");
    };
    await assert.rejects(all.owners.of(id).wake(), /no memory/);
    const { status } = all.registry.get(id);
    assert.deepEqual([status.state, status.intent, status.sleep?.tier], ["standby", "sleep", "disk"]);
    all.world.atStep = () => {};
    await all.owners.of(id).wake();
    assertAwake(all);
  });
});

test("a monitor that dies while its instance sleeps ends the run", async () => {
  await withInstance(stateful, async (all) => {
    await asleep(all);
    all.world.exit.resolve({ kind: "vmm-died" });
    await all.clock.advance(0);
    await all.owners.of(id).idle();
    assert.match(all.registry.get(id).status.exitReason ?? "", /monitor ended unexpectedly/);
    assert.deepEqual([all.registry.get(id).status.state, all.world.packets], ["stopped", "nobody"]);
  });
});

test("a program that ends by itself right after its wake is told of as ever", async () => {
  await withInstance(stateful, async (all) => {
    await asleep(all, "disk");
    await all.owners.of(id).wake();
    await all.world.hooks?.onEvent(exited(3));
    await all.owners.of(id).idle();
    assert.deepEqual(
      [all.registry.get(id).status.state, all.registry.get(id).status.exitCode],
      ["stopped", 3],
    );
  });
});
