import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.ts";
import type { GuestStats } from "../guest/port.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import { recordOf } from "../instances/test-records.ts";
import { directoriesBelow } from "./directories.ts";
import { createFakeNetwork } from "./fake-host.ts";
import { StatsReader } from "./instance-stats.ts";

const guestStats: GuestStats = {
  memoryTotalKb: 1000,
  memoryAvailableKb: 400,
  cpuMs: 1,
  processes: 3,
  diskUsedKb: 1,
  diskTotalKb: 2,
  connections: 0,
  inhibitors: 0,
};

function liveOf(cpuTimeMs: () => number, stats: () => Promise<GuestStats>): LiveInstance {
  const machine = { usage: async () => ({ rssBytes: 5, cpuTimeMs: cpuTimeMs() }) };
  return { machine, channel: { stats } } as unknown as LiveInstance;
}

async function withReader(body: (reader: StatsReader, clock: ManualClock) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "stats-"));
  const clock = new ManualClock();
  const directories = directoriesBelow(directory);
  const disk = directories.disk(recordOf(1).id);
  mkdirSync(disk, { recursive: true });
  writeFileSync(join(disk, "writable.qcow2"), Buffer.alloc(8192, 1));
  try {
    await body(new StatsReader({ network: createFakeNetwork(), directories, clock }), clock);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const running = (clock: ManualClock) => recordOf(1, { status: { state: "running", startedAt: clock.now() } });

test("what does not run uses nothing but its disk", async () => {
  await withReader(async (reader) => {
    const stats = await reader.read(recordOf(1), undefined);
    assert.deepEqual([stats.cpu_pct, stats.rss_bytes, stats.net_rx_bytes, stats.source], [0, 0, 0, "host"]);
    assert.ok((stats.disk_bytes ?? 0) >= 8192);
    assert.equal((await reader.read(recordOf(2), undefined)).disk_bytes, 0);
  });
});

test("the processor's share is of the time since the start, then since the last question", async () => {
  await withReader(async (reader, clock) => {
    const record = running(clock);
    let spent = 500;
    const live = liveOf(
      () => spent,
      async () => guestStats,
    );
    await clock.advance(1000);
    assert.equal((await reader.read(record, live)).cpu_pct, 50);
    spent = 600;
    await clock.advance(1000);
    assert.equal((await reader.read(record, live)).cpu_pct, 10);
    assert.equal((await reader.read(record, live)).cpu_pct, 0, "no time has passed");
    spent = 100;
    await clock.advance(1000);
    assert.equal((await reader.read(record, live)).cpu_pct, 3.3, "another machine's count began anew");
    reader.forget(record.id);
    assert.equal((await reader.read(record, live)).cpu_pct, 3.3);
  });
});

test("the guest's own figures where it answers, the host's where it fails or is silent", async () => {
  await withReader(async (reader, clock) => {
    const record = running(clock);
    const answered = await reader.read(
      record,
      liveOf(
        () => 0,
        async () => guestStats,
      ),
    );
    assert.deepEqual([answered.mem_bytes, answered.processes, answered.source], [600 * 1024, 3, "guest"]);
    const failing = await reader.read(
      record,
      liveOf(
        () => 0,
        () => Promise.reject(new Error("broken")),
      ),
    );
    assert.deepEqual([failing.mem_bytes, failing.source, failing.rss_bytes], [undefined, "host", 5]);
    const asked = Promise.withResolvers<void>();
    const silent = reader.read(
      record,
      liveOf(
        () => 0,
        () => {
          asked.resolve();
          return new Promise<never>(() => {});
        },
      ),
    );
    await asked.promise;
    await clock.advance(1000);
    assert.equal((await silent).source, "host");
  });
});
