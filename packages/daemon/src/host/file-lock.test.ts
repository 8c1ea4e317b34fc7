import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { withFileLock } from "./file-lock.ts";
import { identify } from "./process-identity.ts";

const options = { clock: systemClock, signal: new AbortController().signal };

async function lockPath(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "uni-lock-"));
  t.after(() => rm(directory, { recursive: true }));
  return join(directory, "lock");
}

test("one holder at a time, and the file goes with the last", async (t) => {
  const path = await lockPath(t);
  let inside = 0;
  const task = async () => {
    assert.equal(++inside, 1);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all([1, 2, 3].map(() => withFileLock(path, options, task)));
  assert.deepEqual(await readdir(join(path, "..")), []);
});

for (const [what, content] of [
  ["a process that is gone", JSON.stringify({ pid: process.pid, startTicks: "1" })],
  ["nobody that can be read", "{"],
] as const) {
  test(`the lock of ${what} is taken over`, async (t) => {
    const path = await lockPath(t);
    await writeFile(path, content);
    assert.equal(await withFileLock(path, options, async () => "done"), "done");
    assert.deepEqual(await readdir(join(path, "..")), []);
  });
}

test("a waiter is told who holds it, and can be called off", async (t) => {
  const path = await lockPath(t);
  await writeFile(path, JSON.stringify(identify(process.pid)));
  const controller = new AbortController();
  const waiting = withFileLock(
    path,
    {
      clock: systemClock,
      signal: controller.signal,
      onWait: (holder) => controller.abort(new Error(`held by ${holder.pid}`)),
    },
    async () => assert.fail("entered"),
  );
  await assert.rejects(waiting, new RegExp(`held by ${process.pid}`));
});

test("a failed task frees it", async (t) => {
  const path = await lockPath(t);
  const failing = withFileLock(path, options, async () => {
    throw new Error("task");
  });
  await assert.rejects(failing, /task/);
  assert.equal(await withFileLock(path, options, async () => "free"), "free");
});
