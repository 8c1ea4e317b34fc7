import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyedQueue } from "./keyed-queue.ts";

test("tasks of one key wait for each other, those of another do not, and a failure stops nobody", async () => {
  const queue = new KeyedQueue<string>();
  const seen: string[] = [];
  const held = Promise.withResolvers<void>();
  const first = queue.run("a", async () => {
    await held.promise;
    seen.push("a1");
    throw new Error("broken");
  });
  const second = queue.run("a", async () => void seen.push("a2"));
  await queue.run("b", async () => void seen.push("b1"));
  assert.deepEqual(seen, ["b1"]);
  held.resolve();
  await assert.rejects(first, /broken/);
  await second;
  assert.deepEqual(seen, ["b1", "a1", "a2"]);
});
