import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { asAccountId } from "@uni/contract/ids";
import { createAccounts } from "./accounts.ts";
import { parseAddress } from "./addresses.ts";

const [a, b] = [asAccountId("a"), asAccountId("b")];
const pool = { base: 10 * 2 ** 24 + 200 * 2 ** 16, length: 21 };

test("accounts get blocks of their own, told before the first address", () => {
  const told: string[] = [];
  const accounts = createAccounts(pool, new Map(), (account, blocks) => told.push(`${account} ${blocks}`));
  assert.equal(accounts.pickAddress(a, new Set()), "10.200.0.1");
  assert.equal(accounts.pickAddress(b, new Set()), "10.200.4.1");
  assert.deepEqual(told, ["a 0", "b 1"]);
});

test("an address that was given back is taken again last", () => {
  const accounts = createAccounts(pool);
  assert.equal(accounts.pickAddress(a, new Set()), "10.200.0.1");
  assert.equal(accounts.pickAddress(a, new Set()), "10.200.0.2");
});

test("after a restart the stored blocks are kept and used addresses avoided", () => {
  const accounts = createAccounts(pool, new Map([[a, [1]]]), () => assert.fail("no new block"));
  assert.equal(accounts.pickAddress(a, new Set(["10.200.4.1", "10.200.4.2"])), "10.200.4.3");
});

test("a full account grows into free blocks, and never into another's", () => {
  const accounts = createAccounts({ ...pool, length: 20 }, new Map([[b, [1]]]));
  const used = new Set<string>();
  for (let count = 0; count < 3 * 1016; count++) {
    const address = accounts.pickAddress(a, used);
    assert.ok(!used.has(address));
    used.add(address);
  }
  assert.deepEqual(accounts.blocks().get(a), [0, 2, 3]);
  for (const address of used) {
    assert.ok(!/^10\.200\.[4-7]\./.test(address), address);
    assert.ok(!/\.(0|255)$/.test(address), address);
  }
  assert.throws(
    () => accounts.pickAddress(a, used),
    (error) => error instanceof UniError && error.code === "none_free" && /is full/.test(error.message),
  );
  used.delete("10.200.9.9");
  assert.equal(accounts.pickAddress(a, used), "10.200.9.9");
});

test("an address is claimed for its account, once and for all", () => {
  const accounts = createAccounts(pool);
  accounts.claim(a, "10.200.5.5");
  accounts.claim(a, "10.200.5.6");
  assert.deepEqual(accounts.blocks().get(a), [1]);
  assert.throws(() => accounts.claim(b, "10.200.5.7"), /in a block of another account/);
  assert.throws(() => accounts.claim(b, "10.200.8.0"), /not in the pool/);
  assert.equal(parseAddress(accounts.pickAddress(b, new Set())), pool.base + 1);
});
