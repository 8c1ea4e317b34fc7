import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import { LogStore } from "../instances/log-store.ts";
import { OutputFeed } from "../instances/output-feed.ts";
import type { Registry } from "../instances/registry.ts";
import { idOf, recordOf, withRegistry } from "../instances/test-records.ts";
import { attachOutput } from "./attach-output.ts";

const id = idOf(1);

interface Scene {
  readonly store: LogStore;
  readonly feed: OutputFeed;
  readonly registry: Registry;
  readonly controller: AbortController;
  readonly attach: () => ReturnType<typeof attachOutput>;
  readonly print: (bytes: string | Buffer) => Promise<void>;
  readonly stop: () => Promise<void>;
}

async function withOutput(body: (scene: Scene) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-attach-"));
  const store = await LogStore.open(directory);
  const feed = new OutputFeed(new ManualClock());
  const controller = new AbortController();
  try {
    await withRegistry([recordOf(1, { status: { state: "running", intent: "run" } })], async (registry) => {
      await body({
        store,
        feed,
        registry,
        controller,
        attach: () => attachOutput({ id, store, feed, registry }, controller.signal),
        print: async (bytes) => {
          await store.append("stdout", 1, Buffer.from(bytes));
          feed.nudge(id);
        },
        stop: async () => {
          await registry.change(id, { status: { state: "stopped" } });
          feed.nudge(id);
        },
      });
    });
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Nobody is followed any more: a deletion need not wait. */
const isUnfollowed = (feed: OutputFeed) => feed.whenUnfollowed(id, 0, Number.POSITIVE_INFINITY);

test("output from now on until the end, and then the follower is gone", async () => {
  await withOutput(async ({ attach, print, stop, feed }) => {
    await print("before");
    const attached = attach();
    const all = text(attached);
    await print("one ");
    await print("two");
    await stop();
    assert.equal(await all, "one two");
    await isUnfollowed(feed);
  });
});

test("what is written to it is dropped, and does not end it", async () => {
  await withOutput(async ({ attach, print, stop }) => {
    const attached = attach();
    attached.write("keys");
    const all = text(attached);
    await print("output");
    await stop();
    assert.equal(await all, "output");
  });
});

test("a slow reader gets everything, and holds nobody up", async () => {
  await withOutput(async ({ attach, print, stop }) => {
    const attached = attach();
    const big = Buffer.alloc(1 << 20, "0123456789");
    for (let at = 0; at < big.length; at += 1 << 16) await print(big.subarray(at, at + (1 << 16)));
    await stop();
    assert.ok((await buffer(attached)).equals(big));
  });
});

test("a restart that is due does not end it", async () => {
  await withOutput(async ({ attach, print, stop, registry, feed }) => {
    const all = text(attach());
    await registry.change(id, { status: { state: "stopped", restart: { attempt: 1, nextAt: 1 } } });
    feed.nudge(id);
    await print("second run");
    await registry.change(id, { status: { restart: null } });
    await stop();
    assert.equal(await all, "second run");
  });
});

test("an abort and a reader that leaves end it", async () => {
  await withOutput(async ({ attach, controller, feed }) => {
    const left = attach();
    left.destroy();
    const all = text(attach());
    controller.abort();
    assert.equal(await all, "");
    await isUnfollowed(feed);
  });
});

test("output that was erased with its instance ends it without a failure", async () => {
  await withOutput(async ({ attach, print, store, registry, feed }) => {
    const attached = attach();
    await print("never read");
    await store.close();
    await registry.remove(id, 1);
    feed.nudge(id);
    assert.equal(await text(attached), "");
  });
});

test("a nudge that comes while the log is read is not lost", async () => {
  await withOutput(async ({ attach, print, stop, store }) => {
    const reading = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const read = store.read.bind(store);
    store.read = async (offset, limit) => {
      reading.resolve();
      await goOn.promise;
      return read(offset, limit);
    };
    const all = text(attach());
    await print("last");
    await reading.promise;
    await stop();
    goOn.resolve();
    assert.equal(await all, "last");
  });
});
