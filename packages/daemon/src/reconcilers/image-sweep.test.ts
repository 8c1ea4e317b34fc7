import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { ManualClock } from "../base/manual-clock.ts";
import { sweepImages } from "./image-sweep.ts";

test("the store is swept every hour, also after a sweep that failed, and not once it is closed", async () => {
  const clock = new ManualClock();
  let sweeps = 0;
  const collect = async () => {
    sweeps += 1;
    if (sweeps === 1) throw new Error("the disk is gone");
    return 0;
  };
  const close = sweepImages({ images: { collect }, clock, log: silentLog });
  await clock.advance(3_599_999);
  assert.equal(sweeps, 0);
  await clock.advance(1);
  assert.equal(sweeps, 1);
  await clock.advance(3_600_000);
  assert.equal(sweeps, 2);
  await close();
  await clock.advance(7_200_000);
  assert.equal(sweeps, 2);
});
