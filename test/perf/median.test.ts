import assert from "node:assert/strict";
import { test } from "node:test";
import { median, percentile } from "./median.ts";

test("the median is the middle one, or the mean of the middle two", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 100]), 3);
  assert.ok(Number.isNaN(median([])));
});

test("a percentile is one of the figures", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual([percentile(hundred, 99), percentile(hundred, 100), percentile([7], 99)], [99, 100, 7]);
});
