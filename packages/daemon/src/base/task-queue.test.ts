import assert from "node:assert/strict";
import { test } from "node:test";
import { TaskQueue } from "./task-queue.ts";

test("tasks run in order, also behind one that fails", async () => {
  const queue = new TaskQueue();
  const seen: number[] = [];
  const failing = queue.run(async () => {
    seen.push(1);
    throw new Error("first");
  });
  const second = queue.run(async () => seen.push(2));
  await assert.rejects(failing, /first/);
  await second;
  await queue.idle();
  assert.deepEqual(seen, [1, 2]);
});

test("an interrupt reaches the task under way and no other", async () => {
  const queue = new TaskQueue();
  const running = queue.run(
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  );
  const next = queue.run(async (signal) => signal.aborted);
  await Promise.resolve();
  await Promise.resolve();
  queue.interrupt(new Error("enough"));
  await assert.rejects(running, /enough/);
  assert.equal(await next, false);
});
