import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { ManualClock } from "../base/manual-clock.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Owners } from "../instances/owners.ts";
import { recordOf, withRegistry } from "../instances/test-records.ts";
import { createFakeImages, createFakeNetwork } from "../operations/fake-host.ts";
import { limits } from "./simulated-node.ts";
import { startStandingWork } from "./standing-work.ts";

const noImages = {
  pruneImagesAfterMs: 0,
  dataDirectory: "/nowhere",
  saved: { all: () => [] },
  images: createFakeImages(),
  pins: { all: () => [], holding: () => [], expire: async () => {} } as unknown as Pins,
};

test("sleepers go to disk after their while, packets wake them, and nothing goes on once it is closed", async () => {
  const clock = new ManualClock();
  const sleeper = recordOf(1, {
    status: { state: "standby", intent: "sleep", sleep: { tier: "paused", since: clock.now() } },
  });
  await withRegistry([sleeper], async (registry) => {
    const done: string[] = [];
    const network = createFakeNetwork();
    let packet: () => void = () => assert.fail("nobody listens to the waker");
    network.onWake = (handler) => {
      packet = () => handler(sleeper.address, { kind: "tcp", source: "192.0.2.1" });
      return () => {
        packet = () => {};
      };
    };
    const owner = {
      live: undefined,
      sleepDeeper: async () => {
        done.push("to disk");
        await registry.change(sleeper.id, { status: { sleep: { tier: "disk", since: clock.now() } } });
      },
      wake: async () => void done.push("wake"),
    };
    const owners = { of: () => owner } as unknown as Owners;
    const work = startStandingWork({
      registry,
      owners,
      network,
      limits,
      clock,
      log: silentLog,
      // Sooner than the first look at the memory of the host that the test runs on.
      sleepToDiskAfterMs: 2_000,
      ...noImages,
    });
    await clock.advance(1_999);
    assert.deepEqual(done, []);
    await clock.advance(1);
    assert.equal(done[0], "to disk");
    packet();
    await clock.advance(0);
    assert.equal(done.at(-1), "wake");
    await work.close();
    const before = done.length;
    packet();
    await clock.advance(600_000);
    assert.equal(done.length, before);
  });
});
