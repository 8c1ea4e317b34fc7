import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { PullTurns } from "./pull-turns.ts";

interface World {
  readonly began: string[];
  readonly waited: string[];
  begin(name: string, signal?: AbortSignal): Promise<void>;
  end(name: string): Promise<void>;
}

/** Tasks are named by their registry and a number: `a1`. */
function world(most: number, mostOfOne: number): World {
  const turns = new PullTurns({ most, mostOfOne });
  const began: string[] = [];
  const waited: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    began,
    waited,
    begin(name, signal = new AbortController().signal) {
      const done = Promise.withResolvers<void>();
      ends.set(name, done.resolve);
      return turns.run(name[0] ?? "", { signal, onWait: () => waited.push(name) }, () => {
        began.push(name);
        return done.promise;
      });
    },
    async end(name) {
      ends.get(name)?.();
      await setImmediate();
    },
  };
}

test("so many at once, in the order in which they came; who waits is told", async () => {
  const { began, waited, begin, end } = world(2, 2);
  const all = ["a1", "a2", "a3", "b1"].map((name) => begin(name));
  assert.deepEqual(
    [began, waited],
    [
      ["a1", "a2"],
      ["a3", "b1"],
    ],
  );
  await end("a2");
  assert.deepEqual(began, ["a1", "a2", "a3"]);
  await end("a1");
  assert.deepEqual(began, ["a1", "a2", "a3", "b1"]);
  await end("a3");
  await end("b1");
  await Promise.all(all);
});

test("a registry with many pulls holds up no other", async () => {
  const { began, begin, end } = world(3, 2);
  const all = ["a1", "a2", "a3", "a4", "b1", "c1"].map((name) => begin(name));
  assert.deepEqual(began, ["a1", "a2", "b1"]);
  await end("b1");
  assert.deepEqual(began, ["a1", "a2", "b1", "c1"]);
  await end("a1");
  assert.deepEqual(began, ["a1", "a2", "b1", "c1", "a3"]);
  for (const name of ["a2", "a3", "a4", "c1"]) await end(name);
  await Promise.all(all);
});

test("who gives up loses its place and takes no turn; a failure gives its turn on", async () => {
  const { began, begin, end } = world(1, 1);
  const first = begin("a1");
  const impatient = new AbortController();
  const second = begin("a2", impatient.signal);
  const third = begin("a3");
  impatient.abort(new Error("enough"));
  await assert.rejects(second, /enough/);
  await assert.rejects(begin("a4", impatient.signal), /enough/);
  await end("a1");
  await end("a3");
  await Promise.all([first, third]);
  assert.deepEqual(began, ["a1", "a3"]);
  const turns = new PullTurns({ most: 1, mostOfOne: 1 });
  const how = { signal: new AbortController().signal, onWait() {} };
  const failing = turns.run("a", how, () => Promise.reject(new Error("broken")));
  const next = turns.run("a", how, async () => "done");
  await assert.rejects(failing, /broken/);
  assert.equal(await next, "done");
});
