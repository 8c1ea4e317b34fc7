import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScaleToZeroPart } from "@uni/contract/resources/instance-parts";
import { silentLog } from "../base/log.ts";
import { readScaleToZero } from "../instances/scale-to-zero.ts";
import { id, running, type World, withInstance } from "../instances/test-world.ts";
import type { Network } from "../network/port.ts";
import { IdleWatch } from "./idle-watch.ts";

interface Watched extends World {
  /** Packets in and out so far. */
  readonly traffic: { packets: number };
  readonly state: () => string;
  /** Its program listens from now on. */
  readonly listens: () => Promise<void>;
}

function watching(part: ScaleToZeroPart, body: (watched: Watched) => Promise<void>): Promise<void> {
  const scaleToZero = readScaleToZero({ stateful: true, cooldown_time_ms: 1000, ...part });
  return withInstance({ scaleToZero }, async (world) => {
    const traffic = { packets: 0 };
    const network = {
      namesFor: () => ({ tap: "t", mac: "m" }),
      traffic: async () => ({ rxBytes: 0, rxPackets: traffic.packets, txBytes: 0, txPackets: 0 }),
    } as unknown as Network;
    const watch = new IdleWatch({ ...world, network, log: silentLog });
    try {
      await body({
        ...world,
        traffic,
        state: () => world.registry.get(id).status.state,
        listens: async () => world.world.hooks?.onEvent({ kind: "listening", port: 80, us: 1 }),
      });
    } finally {
      await watch.close();
    }
  });
}

test("a silent instance sleeps once its cooldown is over, and not before it listened", async () => {
  await watching({ policy: "idle" }, async (all) => {
    await running(all);
    await all.clock.advance(5_000);
    assert.equal(all.state(), "running");
    await all.listens();
    await all.clock.advance(900);
    assert.equal(all.state(), "running");
    await all.clock.advance(700);
    assert.equal(all.state(), "standby");
  });
});

test("one that never listens sleeps after ten seconds and its cooldown", async () => {
  await watching({ policy: "idle" }, async (all) => {
    await running(all);
    await all.clock.advance(10_500);
    assert.equal(all.state(), "running");
    await all.clock.advance(1_500);
    assert.equal(all.state(), "standby");
  });
});

test("packets begin the countdown anew, on either way", async () => {
  await watching({ policy: "idle" }, async (all) => {
    await running(all);
    await all.listens();
    for (let round = 0; round < 10; round += 1) {
      all.traffic.packets += 1;
      await all.clock.advance(700);
      assert.equal(all.state(), "running");
    }
    await all.clock.advance(1_500);
    assert.equal(all.state(), "standby");
  });
});

test("open connections hold it up by policy on, and not by policy idle", async () => {
  for (const [policy, state] of [
    ["on", "running"],
    ["idle", "standby"],
  ] as const) {
    await watching({ policy }, async (all) => {
      await running(all);
      await all.listens();
      all.world.guest = { connections: 1, inhibitors: 0 };
      await all.clock.advance(10_000);
      assert.equal(all.state(), state);
    });
  }
});

test("inhibitors, and commands and copies under way, hold it up", async () => {
  await watching({ policy: "idle" }, async (all) => {
    await running(all);
    await all.listens();
    all.world.guest = { connections: 0, inhibitors: 1 };
    await all.clock.advance(10_000);
    assert.equal(all.state(), "running");
    all.world.guest = { connections: 0, inhibitors: 0 };
    const end = all.owners.of(id).sessions.begin();
    await all.clock.advance(10_000);
    assert.equal(all.state(), "running");
    end();
    await all.clock.advance(2_000);
    assert.equal(all.state(), "standby");
  });
});

test("its programs are told before, once per countdown", async () => {
  await watching({ policy: "idle", notify_time_ms: 500 }, async (all) => {
    await running(all);
    await all.listens();
    await all.clock.advance(800);
    assert.deepEqual(
      [all.state(), all.world.calls.filter((call) => call === "notify scaletozero").length],
      ["running", 1],
    );
    await all.clock.advance(1_000);
    assert.deepEqual(
      [all.state(), all.world.calls.filter((call) => call.startsWith("notify")).length],
      ["standby", 1],
    );
  });
});

test("without a policy it never sleeps; one that it gets later counts at once", async () => {
  await watching({ policy: "off" }, async (all) => {
    await running(all);
    await all.listens();
    await all.clock.advance(60_000);
    assert.equal(all.state(), "running");
    await all.owners.of(id).update({ prop: "scale_to_zero", op: "add", value: { policy: "idle" } });
    await all.clock.advance(2_000);
    assert.equal(all.state(), "standby");
  });
});
