import assert from "node:assert/strict";
import { test } from "node:test";
import { Laps } from "./laps.ts";
import { ManualClock } from "./manual-clock.ts";

test("each lap counts from the one before", async () => {
  const clock = new ManualClock();
  const laps = new Laps(clock);
  await clock.advance(3);
  laps.lap("loaded");
  await clock.advance(2);
  laps.lap("ran");
  laps.lap("answered");
  assert.deepEqual(laps.us, { loaded: 3000, ran: 2000, answered: 0 });
});
