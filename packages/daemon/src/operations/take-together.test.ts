import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import { type Taken, takeTogether } from "./take-together.ts";

type Step = "pause" | "take" | "switch" | "resume";

/** Members that write down what happens to them; each step lasts some turns of the loop, others for others. */
function members(
  count: number,
  fails: { readonly member: number; readonly step: Step } | undefined = undefined,
) {
  const events: string[] = [];
  const step = async (member: number, name: Step): Promise<void> => {
    events.push(`${name} ${member}`);
    const turns = name === "switch" ? 20 : 1 + ((member * 7 + name.length) % 5);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    if (fails?.member === member && fails.step === name) throw new Error(`no ${name} of ${member}`);
    events.push(`${name} ${member} done`);
  };
  const begun: Taken[] = Array.from({ length: count }, (_, member) => ({
    held: {
      live: () => ({
        channel: {
          hold() {
            events.push(`hold ${member}`);
            return () => void events.push(`let go ${member}`);
          },
        },
      }),
    },
    machine: { pause: () => step(member, "pause"), resume: () => step(member, "resume") },
    runs: true,
    capture: {
      async take(_signal, onRead) {
        await step(member, "take");
        events.push(`read ${member}`);
        onRead?.();
        await step(member, "switch");
      },
    },
  }));
  return { begun, events };
}

const options = { clock: new ManualClock(), ends: false, signal: new AbortController().signal };
const firstOf = (events: readonly string[], what: string) =>
  events.findIndex((each) => each.startsWith(what));
const lastOf = (events: readonly string[], what: RegExp) => events.findLastIndex((each) => what.test(each));

test("none goes on before all stand, whatever the count and however many are taken at once", async () => {
  for (const count of [1, 2, 3, 7]) {
    for (const atOnce of [1, 2, 3, 16]) {
      const { begun, events } = members(count);
      assert.equal((await takeTogether(begun, { ...options, atOnce })).length, count);
      const said = `${count}, ${atOnce} at once: ${events}`;
      assert.ok(lastOf(events, /^pause \d+ done/) < firstOf(events, "resume"), said);
      // What the daemon says to a guest for one that goes on reaches none that is still being taken.
      assert.ok(lastOf(events, /^hold/) < firstOf(events, "resume"), said);
      assert.ok(lastOf(events, /^switch \d+ done/) < firstOf(events, "let go"), said);
      for (let member = 0; member < count; member++) {
        const own = events.filter((each) => each.endsWith(`${member} done`));
        assert.deepEqual(
          own,
          ["pause", "take", "switch", "resume"].map((name) => `${name} ${member} done`),
          said,
        );
      }
    }
  }
});

test("a machine stops as late as it can and not later: when there is a processor for reading it", async () => {
  const { begun, events } = members(5);
  await takeTogether(begun, { ...options, atOnce: 2 });
  let [stopped, unread] = [0, 0];
  for (const event of events) {
    if (/^pause \d+$/.test(event)) [stopped, unread] = [stopped + 1, unread + 1];
    if (/^read/.test(event)) unread -= 1;
    assert.ok(unread <= 2, `${events}`);
    // No disk is switched before the next one has been told to stop.
    if (/^switch \d+ done$/.test(event)) assert.ok(stopped === 5 || unread === 2, `${events}`);
  }
});

test("those that are to end do not go on", async () => {
  const { begun, events } = members(3);
  await takeTogether(begun, { ...options, ends: true, atOnce: 2 });
  assert.equal(firstOf(events, "resume"), -1);
});

test("when all stand, those that are read go on before the last one is taken", async () => {
  for (const [count, atOnce] of [
    [3, 2],
    [5, 2],
    [5, 3],
    [4, 1],
  ] as const) {
    const { begun, events } = members(count);
    await takeTogether(begun, { ...options, atOnce });
    const said = `${count}, ${atOnce} at once: ${events}`;
    const allStand = lastOf(events, /^pause \d+ done/);
    const last = /\d+/.exec(events[allStand] ?? "")?.[0];
    for (const event of events.slice(0, allStand)) {
      const [, read] = /^read (\d+)$/.exec(event) ?? [];
      if (read === undefined) continue;
      assert.ok(events.indexOf(`resume ${read} done`) < events.indexOf(`take ${last}`), said);
    }
  }
});

test("what does not run is taken and not touched, before the others stop", async () => {
  const { begun, events } = members(3);
  const asleep = begun.map((one, at) => (at === 1 ? { ...one, runs: false } : one));
  assert.equal((await takeTogether(asleep, { ...options, atOnce: 2 })).length, 2);
  assert.deepEqual([firstOf(events, "pause 1"), firstOf(events, "resume 1")], [-1, -1]);
  assert.ok(events.indexOf("take 1 done") < firstOf(events, "pause"));
});

test("a failure ends it when nothing is under way any more, and lets go of the guests", async () => {
  for (const step of ["pause", "take", "switch", "resume"] as const) {
    for (const member of [0, 1, 2, 3]) {
      for (const atOnce of [1, 2, 8]) {
        const { begun, events } = members(4, { member, step });
        await assert.rejects(
          takeTogether(begun, { ...options, atOnce }),
          new RegExp(`no ${step} of ${member}`),
        );
        const at = events.length;
        const [held, released] = ["hold", "let go"].map((what) =>
          events.filter((each) => each.startsWith(what)),
        );
        assert.equal(held?.length, released?.length);
        for (let turn = 0; turn < 100; turn++) await Promise.resolve();
        assert.deepEqual(events.slice(at), [], `${step} of ${member}, ${atOnce} at once`);
        const stood = events.filter((each) => /^pause \d done/.test(each)).length;
        if (step === "pause") assert.equal(firstOf(events, "resume"), -1);
        else if (step === "resume") assert.equal(stood, 4);
      }
    }
  }
});

test("who gives up before it began stops nothing", async () => {
  const { begun, events } = members(3);
  const reason = new Error("enough");
  await assert.rejects(
    takeTogether(begun, { ...options, atOnce: 2, signal: AbortSignal.abort(reason) }),
    reason,
  );
  assert.deepEqual(events, []);
});
