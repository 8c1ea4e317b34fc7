import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPrefix, overlaps, type Prefix } from "./addresses.ts";
import { pickPool } from "./pool.ts";

const ten = (second: number, length = 16): Prefix => ({ base: 10 * 2 ** 24 + second * 2 ** 16, length });

test("the same id finds the same pool, other ids mostly others", () => {
  const pools = ["aaaa", "bbbb", "cccc", "dddd"].map((id) => formatPrefix(pickPool(id, []) ?? ten(0)));
  assert.deepEqual(
    pools,
    ["aaaa", "bbbb", "cccc", "dddd"].map((id) => formatPrefix(pickPool(id, []) ?? ten(0))),
  );
  assert.ok(new Set(pools).size > 2);
});

test("a pool keeps clear of everything that is taken, however small or large", () => {
  const free = pickPool("aaaa", []);
  assert.ok(free);
  const inside: Prefix = { base: free.base + 77, length: 32 };
  const next = pickPool("aaaa", [inside]);
  assert.ok(next && !overlaps(next, inside));
  assert.equal(pickPool("aaaa", [ten(0, 8)]), undefined);
});

test("the last free one is found", () => {
  const all = Array.from({ length: 112 }, (_, index) => ten(128 + index));
  for (const last of [128, 180, 239]) {
    const taken = all.filter((prefix) => prefix.base !== ten(last).base);
    assert.deepEqual(pickPool("abcd", taken), ten(last));
  }
  assert.equal(pickPool("abcd", all), undefined);
});
