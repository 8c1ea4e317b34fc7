import assert from "node:assert/strict";
import { test } from "node:test";
import { exitOf } from "./guest-state.ts";

test("a reset is polite unless the console tells of a panic", () => {
  assert.deepEqual(exitOf("shutdown", "reboot: Restarting system"), { kind: "guest-shutdown" });
  const panic = "[    1.9] Kernel panic - not syncing: Attempted to kill init!";
  assert.deepEqual(exitOf("shutdown", panic), { kind: "guest-panic" });
});

test("states that a guest does not come back from are its end, others are not", () => {
  assert.deepEqual(exitOf("internal-error", ""), { kind: "guest-panic" });
  assert.deepEqual(exitOf("guest-panicked", ""), { kind: "guest-panic" });
  for (const state of ["running", "paused", "io-error", "inmigrate", "prelaunch", undefined, 5]) {
    assert.equal(exitOf(state, "Kernel panic - not syncing"), undefined);
  }
});
