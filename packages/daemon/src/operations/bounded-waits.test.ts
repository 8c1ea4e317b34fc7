import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { ManualClock } from "../base/manual-clock.ts";
import { idOf } from "../instances/test-records.ts";
import { BoundedWaits } from "./bounded-waits.ts";

/** One that ends with its signal alone. */
function endless() {
  const begun: AbortSignal[] = [];
  const take = (signal: AbortSignal) => {
    begun.push(signal);
    return new Promise<never>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  };
  return { begun, take };
}

test("who leaves while waiting ends it; who has an answer does not, but the end of the daemon does", async () => {
  const clock = new ManualClock();
  const waits = new BoundedWaits<string>({ clock, log: silentLog });
  const of = { id: idOf(1), name: "web" };
  const first = endless();
  const leaver = new AbortController();
  const waiting = waits.run({ of, waitMs: 1_000, signal: leaver.signal, shown: "first" }, first.take);
  leaver.abort(new Error("gone"));
  await assert.rejects(waiting, /gone/);
  assert.deepEqual(waits.goingOn(), []);

  const second = endless();
  const answered = new AbortController();
  const bounded = waits.run({ of, waitMs: 1_000, signal: answered.signal, shown: "second" }, second.take);
  clock.advance(1_000);
  assert.equal(await bounded, undefined);
  answered.abort(new Error("gone"));
  assert.deepEqual([second.begun[0]?.aborted, waits.goingOn()], [false, ["second"]]);
  const { signal } = new AbortController();
  await assert.rejects(waits.run({ of, waitMs: 0, signal, shown: "third" }, endless().take), {
    code: "wrong_state",
  });
  await waits.close();
  assert.deepEqual([second.begun[0]?.aborted, waits.goingOn()], [true, []]);
});
