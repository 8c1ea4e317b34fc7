import assert from "node:assert/strict";
import { test } from "node:test";
import { DetachWatch } from "./detach-watch.ts";
import { parseDetachKeys } from "./parse/detach-keys.ts";

/** What goes on of pieces typed one after the other; `!` where the keys were found. */
function typed(keys: string, ...pieces: string[]): string {
  const watch = new DetachWatch(parseDetachKeys(keys));
  return pieces
    .map((piece) => {
      const { passed, detached } = watch.take(Buffer.from(piece, "latin1"));
      return Buffer.from(passed).toString("latin1") + (detached ? "!" : "");
    })
    .join("|");
}

test("the keys detach, alone, at the end of a piece, and over several", () => {
  assert.equal(typed("", "\u0010\u0011"), "!");
  assert.equal(typed("", "ab\u0010\u0011cd"), "ab!");
  assert.equal(typed("", "ab\u0010", "\u0011"), "ab|!");
  assert.equal(typed("ctrl-x,x", "\u0018x"), "!");
});

test("what only begins like them goes on, when that is clear", () => {
  assert.equal(typed("", "\u0010", "a"), "|\u0010a");
  assert.equal(typed("", "\u0010", "\u0010", "\u0011"), "|\u0010|!");
  assert.equal(typed("a,a,b", "aaab"), "a!");
  assert.equal(typed("", "\u0011\u00ff"), "\u0011\u00ff");
});

test("keys are characters or ctrl- with one, and nothing means Docker's", () => {
  assert.deepEqual(parseDetachKeys(""), [16, 17]);
  assert.deepEqual(parseDetachKeys("ctrl-P,ctrl-q"), [16, 17]);
  assert.deepEqual(parseDetachKeys("ctrl-@,ctrl-[,ctrl-_,z"), [0, 27, 31, 122]);
  for (const text of ["ctrl-1", "ctrl-", "ab", ",", "a,", "é"]) {
    assert.throws(() => parseDetachKeys(text), /ctrl-p,ctrl-q/, text);
  }
});
