import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "@uni/contract/ids";
import { silentLog } from "../base/log.ts";
import { ManualClock } from "../base/manual-clock.ts";
import type { PrunePulled } from "../images/port.ts";
import { ImageUpkeep } from "./image-upkeep.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}` as Digest;

test("each minute pins are looked after and pulled images pruned, with those in use named, until it is closed", async () => {
  const clock = new ManualClock();
  const pruned: PrunePulled[] = [];
  const expired: boolean[] = [];
  const deps = {
    clock,
    log: silentLog,
    isShortOfDisk: async () => true,
    instancesOf: (of: Digest) => (of === digest("1") ? ["web"] : []),
    pins: {
      all: () => [],
      holding: (of: Digest) => (of === digest("2") ? ["a pin"] : []),
      expire: async (isUsed: (of: Digest) => boolean) =>
        void expired.push(isUsed(digest("1")), isUsed(digest("2"))),
    },
    images: {
      prunePulled: async (how: PrunePulled) => {
        pruned.push(how);
        return [];
      },
    },
  };
  const upkeep = new ImageUpkeep({ ...deps, unusedForMs: 1000 });
  await clock.advance(59_999);
  assert.deepEqual([pruned.length, expired.length], [0, 0]);
  await clock.advance(1);
  assert.deepEqual(expired, [true, false]);
  const [how] = pruned;
  assert.deepEqual(
    [how?.inUse(digest("1")), how?.inUse(digest("2")), how?.inUse(digest("3"))],
    [["web"], ["a pin"], []],
  );
  await clock.advance(60_000);
  assert.equal(pruned.length, 2);
  await upkeep.close();
  await clock.advance(600_000);
  assert.equal(pruned.length, 2);

  const keeping = new ImageUpkeep({ ...deps, unusedForMs: undefined });
  await clock.advance(60_000);
  assert.deepEqual([pruned.length, expired.length], [2, 6]);
  await keeping.close();
});
