import assert from "node:assert/strict";
import { test } from "node:test";
import { median } from "./median.ts";

test("the median is the middle one, or the mean of the middle two", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 100]), 3);
  assert.ok(Number.isNaN(median([])));
});
