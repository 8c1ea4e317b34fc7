import assert from "node:assert/strict";
import { test } from "node:test";
import { nextRestart } from "./restart-policy.ts";

const crashed = { crashed: true, fromInside: true };
const ended = { crashed: false, fromInside: true };
const stopped = { crashed: false, fromInside: false };

test("delays are 0, 5, 10, 20, 40 s and on to five minutes", () => {
  const delays = Array.from({ length: 10 }, (_, attempts) =>
    nextRestart({ policy: "always", limit: null, outcome: ended, ranMs: 5, attempts }),
  );
  assert.deepEqual(
    delays.map((next) => (next?.delayMs ?? -1) / 1000),
    [0, 5, 10, 20, 40, 80, 160, 300, 300, 300],
  );
  assert.deepEqual(
    delays.map((next) => next?.attempt),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
});

test("ten seconds of running begin a new sequence", () => {
  const next = nextRestart({
    policy: "on-failure",
    limit: null,
    outcome: crashed,
    ranMs: 10_000,
    attempts: 6,
  });
  assert.deepEqual(next, { attempt: 1, delayMs: 0 });
});

test("policies look at how it ended", () => {
  const ask = (policy: "never" | "always" | "on-failure", outcome: typeof ended) =>
    nextRestart({ policy, limit: null, outcome, ranMs: 0, attempts: 0 }) !== undefined;
  assert.deepEqual(
    [ask("never", crashed), ask("always", crashed), ask("on-failure", crashed)],
    [false, true, true],
  );
  assert.deepEqual([ask("always", ended), ask("on-failure", ended)], [true, false]);
  assert.deepEqual([ask("always", stopped), ask("on-failure", stopped)], [false, false]);
});

test("a limit ends the sequence", () => {
  const ask = (attempts: number) =>
    nextRestart({ policy: "always", limit: 2, outcome: ended, ranMs: 0, attempts });
  assert.deepEqual([ask(1)?.attempt, ask(2)], [2, undefined]);
});
