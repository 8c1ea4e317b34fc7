import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import { waitForConnections } from "./drain.ts";

const never = new AbortController().signal;
const liveWith = (connections: () => number | Promise<never>) =>
  ({
    machine: { paused: false },
    channel: { stats: async () => ({ connections: await connections() }) },
  }) as unknown as LiveInstance;

/** Is it over, after so long? */
async function overAfter(clock: ManualClock, work: Promise<void>, ms: number): Promise<boolean> {
  let over = false;
  void work.then(() => {
    over = true;
  });
  await clock.advance(ms);
  return over;
}

test("over at once when nobody is connected, the guest is gone, or does not answer", async () => {
  const clock = new ManualClock();
  for (const live of [liveWith(() => 0), undefined, liveWith(() => Promise.reject(new Error("no answer")))]) {
    await waitForConnections({ clock, live: () => live }, 60_000, never);
  }
});

test("over when the last connection is, or when the guest goes meanwhile", async () => {
  for (const end of ["connection", "guest"]) {
    const clock = new ManualClock();
    let ended = false;
    const live = liveWith(() => (ended && end === "connection" ? 0 : 2));
    const work = waitForConnections(
      { clock, live: () => (ended && end === "guest" ? undefined : live) },
      60_000,
      never,
    );
    assert.equal(await overAfter(clock, work, 30_000), false);
    ended = true;
    assert.equal(await overAfter(clock, work, 1_000), true, end);
  }
});

test("not longer than asked for, and not at all with 0", async () => {
  const clock = new ManualClock();
  const busy = liveWith(() => 1);
  await waitForConnections({ clock, live: () => busy }, 0, never);
  const work = waitForConnections({ clock, live: () => busy }, 1_500, never);
  assert.equal(await overAfter(clock, work, 1_499), false);
  assert.equal(await overAfter(clock, work, 1), true);
});

test("who asked and went ends the wait", async () => {
  const clock = new ManualClock();
  const gone = new AbortController();
  const work = waitForConnections({ clock, live: () => liveWith(() => 1) }, 60_000, gone.signal);
  const failed = assert.rejects(work, /went away/);
  await clock.advance(1_000);
  gone.abort(new Error("the client went away"));
  await failed;
});
