import assert from "node:assert/strict";
import { test } from "node:test";
import { type StopCause, stopOutcome } from "./stop-outcome.ts";

const exited = (over: Partial<StopCause & { kind: "exited" }>): StopCause => ({
  kind: "exited",
  code: 0,
  signal: 0,
  oomKilled: false,
  asked: false,
  killed: false,
  ...over,
});

const cases: { name: string; cause: StopCause; reason: number; exit: number | null; code: number | null }[] =
  [
    { name: "the program ends by itself", cause: exited({ code: 3 }), reason: 3, exit: 3, code: 0 },
    {
      name: "a clean stop by the user",
      cause: exited({ code: 0, asked: true }),
      reason: 15,
      exit: 0,
      code: 0,
    },
    {
      name: "a stop that had to kill",
      cause: exited({ code: 137, signal: 9, asked: true, killed: true }),
      reason: 13,
      exit: 137,
      code: null,
    },
    { name: "a forced stop", cause: { kind: "forced" }, reason: 28, exit: null, code: null },
    {
      name: "out of memory",
      cause: exited({ code: 137, signal: 9, oomKilled: true }),
      reason: 1,
      exit: 137,
      code: 818_948,
    },
    { name: "the image is gone", cause: { kind: "no-medium", message: "m" }, reason: 4, exit: null, code: 1 },
    { name: "the monitor dies", cause: { kind: "vmm-died" }, reason: 0, exit: null, code: null },
  ];

for (const { name, cause, reason, exit, code } of cases) {
  test(`stop reason of: ${name}`, () => {
    const outcome = stopOutcome(cause, 128);
    assert.deepEqual([outcome.stopReason, outcome.exitCode, outcome.stopCode], [reason, exit, code]);
  });
}

test("a program killed for memory is told a size to try", () => {
  const { exitReason, crashed } = stopOutcome(exited({ code: 137, signal: 9, oomKilled: true }), 300);
  assert.match(exitReason, /ran out of memory \(300 MB\); try 600 MB/);
  assert.equal(crashed, true);
});

test("a panic's reason is taken from the console, and nothing else of it", () => {
  const lastWords = "junk\nKernel panic - not syncing: Attempted to kill init! exitcode=0x0\r\nmore";
  const { exitReason, stopReason } = stopOutcome({ kind: "panic", lastWords }, 128);
  assert.equal(exitReason, "the guest kernel panicked: Attempted to kill init! exitcode=0x0");
  assert.equal(stopReason, 1);
});
