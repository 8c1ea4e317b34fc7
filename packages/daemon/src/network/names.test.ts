import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress } from "./addresses.ts";
import { isOwnTap, macFor, namesOf, tapFor } from "./names.ts";

const pool = { base: 10 * 2 ** 24 + 200 * 2 ** 16, length: 16 };
const names = namesOf("ab12", pool);

test("every address of the pool has a TAP and a MAC of its own, that the kernel takes", () => {
  const taps = new Set<string>();
  const macs = new Set<string>();
  for (let index = 0; index < 65536; index++) {
    const address = formatAddress(pool.base + index);
    taps.add(tapFor(names, address));
    macs.add(macFor(names, address));
  }
  assert.equal(taps.size, 65536);
  assert.equal(macs.size, 65536);
  // IFNAMSIZ is 16 with the terminating zero.
  for (const tap of taps) assert.ok(tap.length <= 15 && isOwnTap(names, tap), tap);
  assert.equal(macFor(names, "10.200.1.255"), "02:75:0a:c8:01:ff");
  assert.equal(tapFor(names, "10.200.0.35"), "uab12-000z");
});

test("no two daemons have a TAP in common, whatever their ids", () => {
  const id = fc.stringMatching(/^[a-z0-9]{4,6}$/);
  fc.assert(
    fc.property(id, id, fc.nat(65535), (one, two, index) => {
      const tap = tapFor(namesOf(one, pool), formatAddress(pool.base + index));
      assert.equal(isOwnTap(namesOf(two, pool), tap), one === two);
    }),
  );
});

test("what would make bad names is refused", () => {
  for (const id of ["abc", "abcdefg", "ABCD", "ab-d", 'ab"d', ""])
    assert.throws(() => namesOf(id, pool), /daemon id/);
  for (const length of [15, 23])
    assert.throws(() => namesOf("abcd", { base: pool.base, length }), /prefix length/);
  for (const address of ["10.201.0.0", "10.199.255.255", "x"])
    assert.throws(() => tapFor(names, address), /not in the pool/);
});
