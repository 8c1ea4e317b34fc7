import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "@uni/contract/limits";
import { planRoms, romsInUse } from "./roms.ts";
import { romOf } from "./test-records.ts";

test("what stays keeps its slot, what is new gets one that nobody knows, and what goes is still there", () => {
  const begun = planRoms([], [romOf("a"), romOf("b")]);
  assert.deepEqual(
    begun.guest.map(({ slot }) => slot),
    [0, 1],
  );
  const changed = planRoms(begun.machine, [romOf("b"), romOf("a", "new")]);
  assert.deepEqual(
    changed.guest.map(({ name, slot }) => [name, slot]),
    [
      ["b", 1],
      ["a", 2],
    ],
  );
  assert.equal(changed.machine.length, 3);
  assert.deepEqual(
    romsInUse(changed.machine, [romOf("b"), romOf("a", "new")]).map(({ slot }) => slot),
    [1, 2],
  );
});

test("two of the same content are two disks", () => {
  const { guest } = planRoms([{ slot: 3, content: "files:x" }], [romOf("a", "x"), romOf("b", "x")]);
  assert.deepEqual(
    guest.map(({ slot }) => slot),
    [3, 0],
  );
});

test("all of them can be replaced, again and again", () => {
  let attached: ReturnType<typeof romsInUse> = [];
  for (let round = 0; round < 5; round++) {
    const wanted = Array.from({ length: limits.roms }, (_, index) => romOf(`r${index}`, `${round}-${index}`));
    attached = romsInUse(planRoms(attached, wanted).machine, wanted);
    assert.equal(attached.length, limits.roms);
  }
});
