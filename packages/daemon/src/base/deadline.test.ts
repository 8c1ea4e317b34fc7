import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { withDeadline } from "./deadline.ts";
import { ManualClock } from "./manual-clock.ts";

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("a task that is done in time is not cut short afterwards", async () => {
  const clock = new ManualClock();
  let seen: AbortSignal | undefined;
  const answer = await withDeadline({ clock, ms: 10, attempted: "add" }, async (signal) => {
    seen = signal;
    return 42;
  });
  await clock.advance(100);
  assert.deepEqual([answer, seen?.aborted], [42, false]);
});

test("a task that takes too long is told so, with what it was", async () => {
  const clock = new ManualClock();
  const late = withDeadline({ clock, ms: 10, attempted: "boil water" }, untilAborted);
  const failed = assert.rejects(
    late,
    (error: UniError) => error.code === "timed_out" && /boil water/.test(error.message),
  );
  await clock.advance(10);
  await failed;
});

test("the caller's own signal ends the task too", async () => {
  const controller = new AbortController();
  const options = { clock: new ManualClock(), ms: 10, attempted: "wait", signal: controller.signal };
  const cut = withDeadline(options, untilAborted);
  controller.abort(new Error("enough"));
  await assert.rejects(cut, /enough/);
});
