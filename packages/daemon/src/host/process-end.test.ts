import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { findProcesses } from "./find-process.ts";
import { hasEnded, waitUntilEnded } from "./process-end.ts";
import { identify } from "./process-identity.ts";
import { readUsage } from "./process-usage.ts";

test("a process is found by its argument, measured, and seen to end", async () => {
  // Longer than any test, and unlike any other process's argument.
  const seconds = `${100000 + process.pid}.5`;
  const child = spawn("sleep", [seconds], { stdio: "ignore" });
  const identity = identify(child.pid ?? 0);
  assert.ok(identity);
  assert.equal(hasEnded(identity), false);
  assert.equal(await waitUntilEnded(identity, systemClock, 1), false);
  assert.deepEqual(findProcesses(seconds), [identity]);
  assert.ok((readUsage(identity)?.rssBytes ?? 0) > 0);
  child.kill("SIGKILL");
  assert.equal(await waitUntilEnded(identity, systemClock, 10_000), true);
  assert.equal(readUsage(identity), undefined);
  assert.deepEqual(findProcesses(seconds), []);
});

test("a process id that somebody else has now counts as ended", () => {
  assert.equal(hasEnded({ pid: process.pid, startTicks: "1" }), true);
});
