import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import { recordOf, romOf } from "./test-records.ts";
import { applyUpdate, isImmediate } from "./updates.ts";

const { spec } = recordOf(1, {
  spec: {
    tags: ["a", "b"],
    annotations: { x: "1" },
    env: { A: "1", B: "2" },
    args: ["one"],
    memoryMb: 256,
    vcpus: 2,
    deleteLock: true,
    hostname: "old",
  },
});
const change = (prop: string, op: string, value?: unknown) =>
  applyUpdate(spec, { prop, op, ...(value === undefined ? {} : { value }) } as InstanceUpdate);

const table: readonly [string, string, unknown, object][] = [
  ["tags", "set", ["c", "c"], { tags: ["c"] }],
  ["tags", "add", ["b", "c"], { tags: ["a", "b", "c"] }],
  ["tags", "del", ["a", "zz"], { tags: ["b"] }],
  ["tags", "del", undefined, { tags: [] }],
  ["annotations", "add", { y: "2" }, { annotations: { x: "1", y: "2" } }],
  ["annotations", "del", ["x"], { annotations: {} }],
  ["env", "set", { C: "3" }, { env: { C: "3" } }],
  ["env", "add", { A: "9" }, { env: { A: "9", B: "2" } }],
  ["env", "del", ["A"], { env: { B: "2" } }],
  ["env", "del", undefined, { env: {} }],
  ["args", "set", ["two"], { args: ["two"] }],
  ["args", "add", ["two"], { args: ["one", "two"] }],
  ["args", "del", undefined, { args: null }],
  ["memory_mb", "set", 512, { memoryMb: 512 }],
  ["memory_mb", "del", undefined, { memoryMb: limits.memoryMb.default }],
  ["vcpus", "set", 4, { vcpus: 4 }],
  ["vcpus", "del", undefined, { vcpus: limits.vcpus.default }],
  ["delete_lock", "set", false, { deleteLock: false }],
  ["delete_lock", "del", undefined, { deleteLock: false }],
  ["hostname", "set", "new", { hostname: "new" }],
  ["hostname", "del", undefined, { hostname: null }],
];

for (const [prop, op, value, expected] of table) {
  test(`${op} ${prop} ${JSON.stringify(value) ?? ""}`, () => {
    assert.deepEqual(change(prop, op, value), expected);
  });
}

test("more tags than allowed are refused, those given twice count once", () => {
  const many = Array.from({ length: limits.tags + 1 }, (_, index) => `t${index}`);
  assert.throws(
    () => change("tags", "set", many),
    (error: UniError) => error.code === "too_many",
  );
  assert.throws(
    () => change("tags", "add", many.slice(2)),
    (error: UniError) => error.code === "too_many",
  );
  assert.equal(Object.keys(change("tags", "set", [...many.slice(1), ...many.slice(1)])).length, 1);
});

test("what is not supported is refused by name", () => {
  assert.throws(() => change("plugins", "set", []), /'plugins'/);
});

test("only what the guest never sees holds at once", () => {
  const immediate = ["tags", "annotations", "delete_lock"];
  for (const prop of [...immediate, "env", "args", "memory_mb", "vcpus", "hostname", "image"]) {
    assert.equal(
      isImmediate({ prop, op: "set", value: null } as unknown as InstanceUpdate),
      immediate.includes(prop),
    );
  }
});

test("a ROM takes the place of the one of its name; there are never more than the limit", () => {
  const [a, b, other] = [romOf("a"), romOf("b"), romOf("a", "other")];
  const changed = (op: InstanceUpdate["op"], value: unknown) =>
    applyUpdate({ ...spec, roms: [a, b] }, { prop: "roms", op, value }).roms;
  assert.deepEqual(changed("add", [other]), [b, other]);
  assert.deepEqual(changed("set", [other]), [other]);
  assert.deepEqual(changed("del", ["b", "none"]), [a]);
  assert.deepEqual(changed("del", undefined), []);
  const many = Array.from({ length: limits.roms }, (_, index) => romOf(`r${index}`));
  assert.equal(changed("set", many)?.length, limits.roms);
  assert.throws(
    () => changed("add", many),
    (error: UniError) => error.code === "too_many",
  );
});

test("ROMs that are still to be pulled go by the same changes", () => {
  const pull = { policy: "always", credentials: null, headers: {}, mergeRequests: true } as const;
  const missing = (name: string) => ({ name, at: null, reference: name, pull });
  const media = { image: null, roms: [missing("a"), missing("b")] };
  const after = (op: "set" | "add" | "del", value?: unknown) =>
    applyUpdate({ ...spec, media }, { prop: "roms", op, value }).media?.roms.map(({ name }) => name);
  assert.deepEqual(after("add", [romOf("a")]), ["b"]);
  assert.deepEqual(after("add", [romOf("c")]), ["a", "b"]);
  assert.deepEqual(after("set", [romOf("c")]), undefined);
  assert.deepEqual(after("del", ["b"]), ["a"]);
  assert.deepEqual(after("del"), undefined);
});
