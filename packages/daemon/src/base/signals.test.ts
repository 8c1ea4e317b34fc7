import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { signalNumber } from "./signals.ts";

const known: readonly [string, number][] = [
  ["SIGTERM", 15],
  ["term", 15],
  [" 9 ", 9],
  ["64", 64],
  ["SIGRTMIN", 34],
  ["RTMIN+3", 37],
  ["SIGRTMAX", 64],
  ["SIGRTMAX-1", 63],
];
for (const [text, number] of known) {
  test(`'${text}' is signal ${number}`, () => assert.equal(signalNumber(text), number));
}

for (const text of [
  "",
  "0",
  "65",
  "SIG",
  "NOPE",
  "SIGSIGTERM",
  "RTMIN+31",
  "RTMAX-31",
  "-9",
  "9x",
  "constructor",
]) {
  test(`'${text}' is no signal`, () => {
    assert.throws(
      () => signalNumber(text),
      (error: UniError) => error.code === "invalid_value",
    );
  });
}
