import assert from "node:assert/strict";
import { test } from "node:test";
import { asAccountId } from "@uni/contract/ids";
import { Catalogue, type Listed } from "./catalogue.ts";

const account = asAccountId("11111111-1111-4111-8111-111111111111");
const stranger = asAccountId("22222222-2222-4222-8222-222222222222");

const uuid = (number: number) => `${String(number).padStart(8, "0")}-0000-4000-8000-000000000000`;
const item = (number: number, owner = account): Listed => ({
  id: uuid(number),
  sequence: number,
  account: owner,
  name: `n${number}`,
  createdAt: number * 1_000,
});

function filled(count: number): Catalogue<Listed> {
  const catalogue = new Catalogue<Listed>("thing", new Map());
  for (let number = 1; number <= count; number++) catalogue.put(item(number));
  return catalogue;
}

test("pages of every size show everything once, also when the cursor's thing is gone", () => {
  const catalogue = filled(7);
  catalogue.put(item(8, stranger));
  for (const order of ["asc", "desc"] as const) {
    for (const count of [1, 2, 3, 7, Number.POSITIVE_INFINITY]) {
      const seen: number[] = [];
      for (let from: string | undefined; ; ) {
        const page = catalogue.page(account, { count, from, order });
        if (page.length === 0) break;
        seen.push(...page.map(({ sequence }) => sequence));
        from = page.at(-1)?.id;
      }
      const expected = order === "asc" ? [1, 2, 3, 4, 5, 6, 7] : [7, 6, 5, 4, 3, 2, 1];
      assert.deepEqual(seen, expected, `${order} by ${count}`);
    }
  }
  catalogue.drop(uuid(3));
  const after = (from: string, order: "asc" | "desc" = "asc") =>
    catalogue.page(account, { count: 2, from, order }).map(({ sequence }) => sequence);
  assert.deepEqual(
    [after(uuid(3)), after(uuid(3), "desc")],
    [
      [4, 5],
      [2, 1],
    ],
  );
  assert.deepEqual(after(new Date(5_000).toISOString()), [5, 6]);
  assert.deepEqual(after(uuid(99)), []);
});

test("references find what is the account's, and say what they did not find", () => {
  const catalogue = filled(2);
  assert.equal(catalogue.resolve(account, { name: "n2" }).id, uuid(2));
  assert.equal(catalogue.resolve(account, { uuid: uuid(1) }).name, "n1");
  assert.throws(() => catalogue.resolve(stranger, { name: "n2" }), /No thing with name 'n2'/);
  assert.throws(() => catalogue.resolve(account, { name: "n9" }), { hint: /^Did you mean n1 or n2/ });
  assert.throws(() => catalogue.resolve(account, { uuid: uuid(3) }), /No thing with uuid '00000003/);
  assert.throws(() => catalogue.resolve(account, { uuid: "n1" }), /Invalid uuid 'n1'/);
});

test("an account has a bounded number, each under a name of its own", () => {
  assert.throws(() => filled(2).requireFree(account, "n2"), { code: "already_exists" });
  filled(2).requireFree(stranger, "n2");
  filled(999).requireFree(account, "new");
  assert.throws(() => filled(1_000).requireFree(account, "new"), { code: "quota_exceeded" });
  filled(1_000).requireFree(stranger, "new");
  filled(998).requireFree(account, "new", 1);
  assert.throws(() => filled(998).requireFree(account, "new", 2), { code: "quota_exceeded" });
});
