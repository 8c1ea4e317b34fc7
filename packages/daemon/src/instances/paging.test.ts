import assert from "node:assert/strict";
import { test } from "node:test";
import { type Page, pageOf } from "./paging.ts";
import type { Registry } from "./registry.ts";
import { account, idOf, otherAccount, recordOf, withRegistry } from "./test-records.ts";

const records = [
  ...[1, 2, 3, 4].map((number) =>
    recordOf(number, { createdAt: number * 1000, request: { tags: [`n${number % 2}`, "all"] } }),
  ),
  recordOf(5, { account: otherAccount }),
];
const all: Page = { count: Number.POSITIVE_INFINITY, order: "asc", tags: [] };
const numbers = (registry: Registry, page: Partial<Page>): number[] =>
  pageOf(registry, account, { ...all, ...page }).map((record) => Number.parseInt(record.id.slice(-4), 16));

test("pages: order, count, tags and the account's own only", async () => {
  await withRegistry(records, async (registry) => {
    assert.deepEqual(numbers(registry, {}), [1, 2, 3, 4]);
    assert.deepEqual(numbers(registry, { order: "desc", count: 2 }), [4, 3]);
    assert.deepEqual(numbers(registry, { tags: ["n0"] }), [2, 4]);
    assert.deepEqual(numbers(registry, { tags: ["n1", "all"] }), [1, 3]);
    assert.deepEqual(numbers(registry, { tags: ["n1", "n0"] }), []);
    assert.deepEqual(numbers(registry, { count: 0 }), []);
  });
});

test("a page begins behind an instance, also behind one that is gone", async () => {
  await withRegistry(records, async (registry) => {
    assert.deepEqual(numbers(registry, { from: idOf(2) }), [3, 4]);
    assert.deepEqual(numbers(registry, { from: idOf(3), order: "desc" }), [2, 1]);
    await registry.remove(idOf(2), 1);
    assert.deepEqual(numbers(registry, { from: idOf(2) }), [3, 4]);
    assert.deepEqual(numbers(registry, { from: idOf(2), order: "desc" }), [1]);
  });
});

test("a page begins at a time; a cursor that nobody knows gives nothing", async () => {
  await withRegistry(records, async (registry) => {
    assert.deepEqual(numbers(registry, { from: new Date(3000).toISOString() }), [3, 4]);
    assert.deepEqual(numbers(registry, { from: new Date(3000).toISOString(), order: "desc" }), [3, 2, 1]);
    assert.deepEqual(numbers(registry, { from: idOf(99) }), []);
  });
});

test("all pages together are all instances, once each", async () => {
  const many = Array.from({ length: 25 }, (_, index) => recordOf(index + 1));
  await withRegistry(many, async (registry) => {
    const seen: string[] = [];
    for (let from: string | undefined; ; from = seen.at(-1)) {
      const page = pageOf(registry, account, { ...all, count: 7, from });
      if (page.length === 0) break;
      seen.push(...page.map((record) => record.id));
    }
    assert.deepEqual(
      seen,
      many.map((record) => record.id),
    );
  });
});
