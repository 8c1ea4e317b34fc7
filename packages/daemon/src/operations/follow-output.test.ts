import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import { LogStore, type LogStream } from "../instances/log-store.ts";
import { OutputFeed } from "../instances/output-feed.ts";
import { idOf, recordOf, withRegistry } from "../instances/test-records.ts";
import { type FollowedOutput, followOutput } from "./follow-output.ts";

const id = idOf(1);

interface Scene {
  readonly feed: OutputFeed;
  readonly follow: (signal?: AbortSignal) => FollowedOutput;
  readonly print: (stream: LogStream, text: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

async function withOutput(body: (scene: Scene) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-follow-"));
  const store = await LogStore.open(directory, { segmentBytes: 64, totalBytes: 128 });
  const feed = new OutputFeed(new ManualClock());
  const never = new AbortController().signal;
  try {
    await withRegistry([recordOf(1, { status: { state: "running", intent: "run" } })], (registry) =>
      body({
        feed,
        follow: (signal = never) => followOutput({ id, store, feed, registry }, signal),
        print: async (stream, text) => {
          await store.append(stream, 1, Buffer.from(text));
          feed.nudge(id);
        },
        stop: async () => {
          await registry.change(id, { status: { state: "stopped" } });
          feed.nudge(id);
        },
      }),
    );
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const textOf = async ({ pieces }: FollowedOutput): Promise<string> => {
  let text = "";
  for await (const { stream, bytes } of pieces) text += `${stream}:${bytes} `;
  return text;
};

test("each stream's bytes from now on, in order, until the end", async () => {
  await withOutput(async ({ follow, print, stop, feed }) => {
    await print("stdout", "before");
    const output = follow();
    // Before anybody reads.
    await print("stdout", "one");
    const all = textOf(output);
    await print("stderr", "two");
    await print("system", "three");
    await stop();
    assert.equal(await all, "stdout:one stderr:two system:three ");
    output.close();
    await feed.whenUnfollowed(id, 0, Number.POSITIVE_INFINITY);
  });
});

test("a reader that falls behind misses what the log dropped, and reads on", async () => {
  await withOutput(async ({ follow, print, stop }) => {
    const output = follow();
    for (let count = 0; count < 10; count += 1) await print("stdout", `${count}`.repeat(40));
    await stop();
    const text = await textOf(output);
    assert.match(text, /^stdout:[5-9]/);
    assert.ok(text.endsWith(`stdout:${"9".repeat(40)} `), text);
    output.close();
  });
});

test("whoever goes away is not kept, whether or not it has read", async () => {
  await withOutput(async ({ follow, feed }) => {
    const unread = follow();
    const controller = new AbortController();
    const read = follow(controller.signal);
    const reading = textOf(read);
    controller.abort();
    assert.equal(await reading, "");
    read.close();
    unread.close();
    const closed = follow();
    const waiting = textOf(closed);
    closed.close();
    assert.equal(await waiting, "");
    await feed.whenUnfollowed(id, 0, Number.POSITIVE_INFINITY);
  });
});
