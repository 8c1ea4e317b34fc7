import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { resolveLoosely, resolveReference } from "./references.ts";
import { account, idOf, otherAccount, recordOf, withRegistry } from "./test-records.ts";

const fails = (code: string, pattern: RegExp) => (error: UniError) =>
  error.code === code && pattern.test(error.message);

test("exact references stay within the account", async () => {
  const foreign = recordOf(2, { name: "web", account: otherAccount });
  await withRegistry([recordOf(1, { name: "web" }), foreign], async (registry) => {
    assert.equal(resolveReference(registry, account, { name: "web" }), idOf(1));
    assert.equal(resolveReference(registry, otherAccount, { name: "web" }), idOf(2));
    assert.equal(resolveReference(registry, account, { uuid: idOf(1) }), idOf(1));
    assert.throws(() => resolveReference(registry, account, { uuid: idOf(2) }), fails("not_found", /uuid/));
    assert.throws(() => resolveReference(registry, account, { uuid: "WEB" }), fails("invalid_value", /WEB/));
    assert.throws(() => resolveReference(registry, account, { name: "we" }), fails("not_found", /we/));
    assert.throws(() => resolveReference(registry, account, {}), fails("not_found", /name/));
  });
});

test("for people: name, uuid or a prefix that fits one; a name wins over a prefix", async () => {
  const records = [
    recordOf(0xa1, { name: "web" }),
    recordOf(0xa2, { name: "00000000-0000-4000-8000-0000000000a1x" }),
  ];
  await withRegistry(records, async (registry) => {
    assert.equal(resolveLoosely(registry, account, " web "), idOf(0xa1));
    assert.equal(resolveLoosely(registry, account, idOf(0xa2).toUpperCase()), idOf(0xa2));
    assert.throws(
      () => resolveLoosely(registry, account, "0000"),
      fails("ambiguous", /fits 2: .*web \(stopped\)/),
    );
    assert.throws(() => resolveLoosely(registry, account, "ff"), fails("not_found", /'ff'/));
    assert.throws(() => resolveLoosely(registry, account, "wev"), {
      code: "not_found",
      hint: "Did you mean web?",
    });
    assert.throws(() => resolveLoosely(registry, otherAccount, "wev"), {
      code: "not_found",
      hint: "'uni ps -a' lists all instances.",
    });
    assert.throws(() => resolveLoosely(registry, account, "w"), fails("not_found", /'w'/));
    assert.throws(() => resolveLoosely(registry, account, ""), fails("not_found", /''/));
    assert.throws(
      () => resolveLoosely(registry, otherAccount, idOf(0xa1)),
      fails("not_found", /No instance/),
    );
  });
});

test("a name that looks like the prefix of another's uuid is the name's", async () => {
  await withRegistry([recordOf(1, { name: "web" }), recordOf(2, { name: "0000" })], async (registry) => {
    assert.equal(resolveLoosely(registry, account, "0000"), idOf(2));
  });
});
