import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "./debian-version.ts";

const ordered: readonly (readonly [string, string])[] = [
  ["6.1.9-1", "6.1.10-1"],
  ["6.1.190-1", "6.1.192-2"],
  ["6.1.192-1", "6.1.192-2"],
  ["6.1~rc1-1", "6.1-1"],
  ["6.1-2", "6.1+b1-1"],
  ["6.1-9", "6.1.1-1"],
  ["6.1.192-2", "6.12.3-1"],
  ["1.0a", "1.0+"],
];

for (const [lower, higher] of ordered) {
  test(`${lower} is older than ${higher}`, () => {
    assert.ok(compareVersions(lower, higher) < 0);
    assert.ok(compareVersions(higher, lower) > 0);
  });
}

test("the same version is neither older nor newer, also with leading zeros", () => {
  assert.equal(compareVersions("6.1.192-2", "6.1.192-2"), 0);
  assert.equal(compareVersions("6.01-2", "6.1-02"), 0);
});
