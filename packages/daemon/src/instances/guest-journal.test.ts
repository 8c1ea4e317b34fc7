import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import type { GuestEvent } from "../guest/port.ts";
import { GuestJournal } from "./guest-journal.ts";
import { LogStore } from "./log-store.ts";
import { OutputFeed } from "./output-feed.ts";
import type { InstanceStatus } from "./record.ts";
import type { Registry } from "./registry.ts";
import { idOf, recordOf, withRegistry } from "./test-records.ts";

const id = idOf(1);

interface Scene {
  readonly registry: Registry;
  readonly clock: ManualClock;
  readonly feed: OutputFeed;
  readonly open: () => GuestJournal;
  readonly status: () => InstanceStatus;
}

async function withJournal(status: Partial<InstanceStatus>, body: (scene: Scene) => Promise<void>) {
  const directory = mkdtempSync(join(tmpdir(), "uni-journal-"));
  const clock = new ManualClock();
  const feed = new OutputFeed(clock);
  const opened: GuestJournal[] = [];
  try {
    await withRegistry([recordOf(1, { status })], async (registry) => {
      const open = () => {
        const journal = new GuestJournal(id, {
          registry,
          clock,
          feed,
          openLog: () => LogStore.open(directory),
        });
        opened.push(journal);
        return journal;
      };
      await body({ registry, clock, feed, open, status: () => registry.get(id).status });
    });
  } finally {
    for (const journal of opened) await journal.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const output = (offset: number, text: string): GuestEvent => ({
  kind: "log",
  stream: "stdout",
  offset,
  timeMs: 7,
  bytes: Buffer.from(text),
});
const textOf = async (journal: GuestJournal) =>
  (await (await journal.store()).read(0, 1 << 20)).bytes.toString();

test("output is kept with the guest's own count, and followers are nudged", async () => {
  await withJournal({ state: "running" }, async ({ open, feed }) => {
    let nudges = 0;
    feed.follow(id, () => {
      nudges += 1;
    });
    const journal = open();
    await journal.take(output(0, "hello "));
    await journal.take(output(6, "world"));
    assert.equal(await textOf(journal), "hello world");
    assert.deepEqual([(await journal.store()).guestOffset, nudges], [11, 2]);
  });
});

test("lost output and memory kills are told among the output, and only the former counts in the guest", async () => {
  await withJournal({ state: "running" }, async ({ open }) => {
    const journal = open();
    await journal.take({ kind: "log-lost", offset: 0, bytes: 40 });
    await journal.take({ kind: "oom", process: "redis", rssKb: 2049 });
    assert.match(await textOf(journal), /^40 bytes of output were lost\nout of memory: .*redis \(3 MB\)\n$/);
    assert.equal((await journal.store()).guestOffset, 40);
  });
});

test("milestones: boot time counts from the start of the run, net time from there", async () => {
  await withJournal({ state: "starting" }, async ({ open, clock, status }) => {
    const journal = open();
    await journal.startRun();
    await clock.advance(5);
    await journal.take({ kind: "started", us: 1 });
    assert.deepEqual([status().state, status().bootTimeUs], ["running", 5000]);
    await journal.take({ kind: "listening", port: 80, us: 70 });
    assert.equal(status().netTimeUs, 5070);
  });
});

test("a started guest does not take back a stop, and after a takeover its boot time is not known", async () => {
  await withJournal({ state: "stopping" }, async ({ open, status }) => {
    await open().take({ kind: "started", us: 1 });
    assert.deepEqual([status().state, status().bootTimeUs], ["stopping", null]);
  });
});

test("only the first report of an end is acted on", async () => {
  await withJournal({ state: "running" }, async ({ open, status }) => {
    const journal = open();
    const exit: GuestEvent = { kind: "exited", code: 3, signal: 0, oomKilled: false };
    assert.deepEqual(await journal.take(exit), exit);
    assert.equal(await journal.take({ ...exit, code: 4 }), undefined);
    assert.deepEqual(status().exit, exit);
  });
});

test("a daemon that comes before a run's first output asks for it from the beginning", async () => {
  await withJournal({ state: "running" }, async ({ open }) => {
    const first = open();
    await first.take(output(0, "of the first run"));
    await first.startRun();
    await first.close();
    const next = open();
    assert.equal((await next.store()).guestOffset, 0);
    await next.take(output(0, "!"));
    assert.equal(await textOf(next), "of the first run!");
    assert.equal((await next.store()).guestOffset, 1);
  });
});

test("output still on its way when a run begins does not count in it", async () => {
  await withJournal({ state: "running" }, async ({ open }) => {
    const journal = open();
    await journal.store();
    const late = journal.take(output(0, "late"));
    await Promise.all([late, journal.startRun()]);
    assert.equal((await journal.store()).guestOffset, 0);
  });
});

test("what comes after the end is refused, and nothing is opened for it", async () => {
  await withJournal({ state: "running" }, async ({ open }) => {
    const journal = open();
    await journal.take(output(0, "a"));
    const store = await journal.store();
    await journal.close();
    await assert.rejects(journal.take(output(1, "b")), /it is gone/);
    await assert.rejects(store.append("stdout", 1, Buffer.from("c")), /closed/);
    assert.deepEqual((await store.read(0, 10)).bytes.length, 0);
  });
});
