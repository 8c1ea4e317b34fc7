import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import { OutputFeed } from "./output-feed.ts";
import { idOf } from "./test-records.ts";

/** Tells whether a promise has resolved. */
function watch(promise: Promise<void>): { done: boolean } {
  const seen = { done: false };
  void promise.then(() => {
    seen.done = true;
  });
  return seen;
}

test("nudges the followers of one instance, until they leave", () => {
  const feed = new OutputFeed(new ManualClock());
  const nudged: string[] = [];
  const leave = feed.follow(idOf(1), () => nudged.push("a"));
  feed.follow(idOf(1), () => nudged.push("b"));
  feed.follow(idOf(2), () => nudged.push("c"));
  feed.nudge(idOf(1));
  leave();
  feed.nudge(idOf(1));
  feed.nudge(idOf(3));
  assert.deepEqual(nudged, ["a", "b", "b"]);
});

test("who has only just asked for the run gets time to come", async () => {
  const clock = new ManualClock();
  const feed = new OutputFeed(clock);
  const waited = watch(feed.whenUnfollowed(idOf(1), 100, 1000));
  await clock.advance(99);
  assert.equal(waited.done, false);
  const leave = feed.follow(idOf(1), () => {});
  await clock.advance(500);
  assert.equal(waited.done, false, "it came and reads");
  leave();
  await clock.advance(0);
  assert.equal(waited.done, true);
});

test("nobody is waited for when somebody came and left, or for ever when somebody stays", async () => {
  const clock = new ManualClock();
  const feed = new OutputFeed(clock);
  feed.follow(idOf(1), () => {})();
  const left = watch(feed.whenUnfollowed(idOf(1), 100, 1000));
  await clock.advance(0);
  assert.equal(left.done, true);
  feed.follow(idOf(1), () => {});
  const stays = watch(feed.whenUnfollowed(idOf(1), 100, 1000));
  await clock.advance(999);
  assert.equal(stays.done, false);
  await clock.advance(1);
  assert.equal(stays.done, true);
});
