import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { logText } from "./log-text.ts";

function written(body: (log: pino.Logger) => void, colour = false): string {
  let text = "";
  const out = { write: (line: string) => (text += line) };
  body(
    pino(
      { base: undefined, level: "debug", timestamp: pino.stdTimeFunctions.isoTime },
      logText(out, { colour }),
    ),
  );
  return text;
}

test("a line has time, level, message and fields", () => {
  const text = written((log) => log.info({ instance: "web", ms: 12, note: "two words" }, "it runs"));
  assert.match(text, /^\d\d:\d\d:\d\d info {2}it runs instance=web ms=12 note="two words"\n$/);
});

test("a failure comes with where it happened", () => {
  const text = written((log) => log.error({ err: new Error("no room") }, "it failed"));
  const [first, second] = text.split("\n");
  assert.match(first ?? "", /error it failed: no room$/);
  assert.match(second ?? "", /^ {4}at .*log-text\.test\.ts/);
});

test("what a guest said cannot steer the terminal", () => {
  const text = written((log) => log.warn({ said: "\u001b[2J\nfake" }, "odd \u001b]0;x\u0007"));
  assert.equal(text.split("\n").length, 2);
  assert.ok(!text.includes("\u001b") && !text.includes("\u0007"));
});

test("the level is coloured where it is wanted", () => {
  assert.ok(written((log) => log.warn({}, "careful"), true).includes("\u001b[33mwarn"));
});
