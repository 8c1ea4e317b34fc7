import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import type { InstanceRecord } from "./record.ts";
import { idOf, recordOf, withRegistry } from "./test-records.ts";
import { waitUntil } from "./waiting.ts";

const isRunning = (record: InstanceRecord | undefined) => record?.status.state === "running";
const isGone = (record: InstanceRecord | undefined) => record === undefined;

test("waits for the state, for the removal, or for the end of the time", async () => {
  await withRegistry([recordOf(1), recordOf(2)], async (registry) => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const wait = (reached: typeof isRunning, waitMs: number) =>
      waitUntil(registry, idOf(1), reached, { waitMs, signal, clock });
    assert.equal(await wait(isRunning, 0), false);
    const late = wait(isRunning, 1000);
    await registry.change(idOf(2), { status: { state: "running" } });
    await clock.advance(1000);
    assert.equal(await late, false, "another instance's state is not this one's");
    const reached = wait(isRunning, Number.POSITIVE_INFINITY);
    await registry.change(idOf(1), { status: { state: "running" } });
    assert.equal(await reached, true);
    assert.equal(await wait(isRunning, 0), true);
    const gone = wait(isGone, 10);
    await registry.remove(idOf(1), 1);
    assert.equal(await gone, true);
    assert.equal(await wait(isGone, 0), true);
  });
});

test("an abort ends the wait with its reason, before and during it", async () => {
  await withRegistry([recordOf(1)], async (registry) => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const options = { waitMs: Number.POSITIVE_INFINITY, signal: controller.signal, clock };
    const waiting = waitUntil(registry, idOf(1), isRunning, options);
    controller.abort(new Error("client left"));
    await assert.rejects(waiting, /client left/);
    await assert.rejects(waitUntil(registry, idOf(1), isRunning, options), /client left/);
  });
});
