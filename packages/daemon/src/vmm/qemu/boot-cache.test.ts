import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { trimBootCache } from "./boot-cache.ts";
import { takeLease } from "./boot-leases.ts";

const now = 1_700_000_000_000;
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const ramBytes = 1 << 20;

/** Snapshots by name, each with the minutes since its last use. */
async function withCache(
  minutes: Readonly<Record<string, number>>,
  body: (root: string, left: () => string[]) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "uni-boot-"));
  try {
    for (const [name, ago] of Object.entries(minutes)) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, "ram"), Buffer.alloc(ramBytes, 1));
      writeFileSync(join(root, name, "meta.json"), "{}");
      const at = new Date(now - ago * minuteMs);
      utimesSync(join(root, name, "meta.json"), at, at);
    }
    await body(root, () => readdirSync(root).sort());
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("over the bound those go first that were used longest ago, and no more than needed", async () => {
  await withCache({ a: 30, b: 10, c: 20, d: 40 }, async (root, left) => {
    const each = readdirSync(join(root, "a")).reduce(
      (sum, name) => sum + statSync(join(root, "a", name)).blocks * 512,
      0,
    );
    assert.equal(await trimBootCache(root, { now, maxBytes: 4 * each }), 0);
    assert.equal(await trimBootCache(root, { now, maxBytes: 3 * each - 1 }), 2 * each);
    assert.deepEqual(left(), ["b", "c"]);
  });
});

test("what is stood upon stays however old and large, and what was used just now", async () => {
  await withCache({ leased: 100 * 24 * 60, fresh: 0.5, idle: 5 }, async (root, left) => {
    const holder = join(root, "holder");
    writeFileSync(holder, "");
    takeLease(join(root, "leased"), holder);
    assert.ok((await trimBootCache(root, { now, maxBytes: 0 })) >= ramBytes);
    assert.deepEqual(left(), ["fresh", "holder", "leased"]);
    rmSync(holder);
    await trimBootCache(root, { now, maxBytes: 0 });
    assert.deepEqual(left(), ["fresh"]);
  });
});

test("what nobody used for weeks goes, whatever the bound; what is being made is no snapshot yet", async () => {
  await withCache({ old: (15 * dayMs) / minuteMs, young: (13 * dayMs) / minuteMs }, async (root, left) => {
    mkdirSync(join(root, "key.aside-12"));
    writeFileSync(join(root, "key.aside-12", "ram"), "");
    writeFileSync(join(root, "key.lock"), "");
    await trimBootCache(root, { now, maxBytes: Number.POSITIVE_INFINITY });
    assert.deepEqual(left(), ["key.aside-12", "key.lock", "young"]);
  });
});

test("a cache that is not there yet takes nothing", async () => {
  assert.equal(await trimBootCache(join(tmpdir(), "uni-no-such-cache"), { now, maxBytes: 0 }), 0);
});
