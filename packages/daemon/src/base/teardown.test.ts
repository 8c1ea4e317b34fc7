import assert from "node:assert/strict";
import { test } from "node:test";
import { Teardown } from "./teardown.ts";

test("runs backwards, once, every step, and names those that fail", async () => {
  const undone: string[] = [];
  const undo = new Teardown();
  for (const name of ["first", "second", "third"]) {
    await undo.add(name, async () => {
      undone.push(name);
      if (name === "second") throw new Error("stuck");
    });
  }
  const failures = await undo.run();
  assert.deepEqual(undone, ["third", "second", "first"]);
  assert.deepEqual(
    failures.map(({ name }) => name),
    ["second"],
  );
  assert.deepEqual(await undo.run(), []);
  assert.equal(undone.length, 3);
});

test("what is acquired after the teardown is undone at once; what was given away is not", async () => {
  const undone: string[] = [];
  const undo = new Teardown();
  await undo.add("given away", () => void undone.push("given away"));
  undo.disarm();
  await undo.run();
  await undo.add("late", () => void undone.push("late"));
  assert.deepEqual(undone, ["late"]);
});
