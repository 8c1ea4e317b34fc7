import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, recordOf } from "../instances/test-records.ts";
import type { SavedInstance } from "../snapshots/record.ts";
import { imageUsers, kernelUsers } from "./users.ts";

const snapshot = {
  ...{ id: "s", parent: null, kernel: "6.1", accelerator: null, listening: true, bytes: 1 },
};
const stopped = recordOf(1, {
  status: { origin: { snapshot, layer: null, entered: false, becomes: "branch" } },
});
const content = { spec: recordOf(2).spec, snapshot };
const template = { ...recordOf(2), kind: "template", name: "base", content } as unknown as SavedInstance;
const users = { registry: { all: () => [stopped] }, saved: { all: () => [template] } };

test("what is kept needs its image and its kernel, as an instance does", () => {
  assert.deepEqual(imageUsers(users, digestOf("0")), ["web-1", "base"]);
  assert.deepEqual(kernelUsers(users, "6.1"), ["web-1", "base"]);
  assert.deepEqual([imageUsers(users, digestOf("1")), kernelUsers(users, "6.2")], [[], []]);
});
