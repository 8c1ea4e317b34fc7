import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, otherAccount, recordOf } from "../instances/test-records.ts";
import type { SavedInstance } from "../snapshots/record.ts";
import { imageUsers, instancesOf, kernelUsers } from "./users.ts";

const snapshot = {
  ...{ id: "s", parent: null, kernel: "6.1", accelerator: null, listening: true, bytes: 1, roms: [] },
};
const stopped = recordOf(1, {
  status: { origin: { snapshot, layer: null, entered: false, becomes: "branch" } },
});
const content = { spec: recordOf(2).spec, snapshot };
const template = { ...recordOf(2), kind: "template", name: "base", content } as unknown as SavedInstance;
const pins = { holding: (digest: string) => (digest === digestOf("7") ? ["a pin"] : []) };
const users = { pins, registry: { all: () => [stopped] }, saved: { all: () => [template] } };

test("what is kept needs its image and its kernel, as an instance does", () => {
  assert.deepEqual(imageUsers(users, digestOf("0")), ["web-1", "base"]);
  assert.deepEqual(kernelUsers(users, "6.1"), ["web-1", "base"]);
  assert.deepEqual([imageUsers(users, digestOf("1")), kernelUsers(users, "6.2")], [[], []]);
});

test("of an account: its own instances and pins alone", () => {
  const asked: unknown[] = [];
  const holding = (_digest: string, of?: unknown): string[] => {
    asked.push(of);
    return [];
  };
  const all = { ...users, pins: { holding } };
  assert.deepEqual(imageUsers(all, digestOf("0"), stopped.account), ["web-1", "base"]);
  assert.deepEqual(imageUsers(all, digestOf("0"), otherAccount), []);
  assert.deepEqual(asked, [stopped.account, otherAccount]);
});

test("a pin needs its image", () => {
  assert.deepEqual(imageUsers(users, digestOf("7")), ["a pin"]);
  assert.deepEqual(instancesOf(users, digestOf("7")), []);
});

test("the image of a ROM is needed too, also by memory that knows it and by a change that waits", () => {
  const content = `image:${digestOf("5")}` as const;
  const rom = { name: "r", at: null, content, source: { image: "x" } };
  const waiting = { prop: "roms", op: "add" as const, value: [rom], status: "pending" as const };
  const records = [
    recordOf(1, { spec: { roms: [rom] } }),
    recordOf(2, { status: { roms: [{ slot: 0, content }] } }),
    recordOf(3, { status: { updates: [waiting] } }),
    recordOf(4),
  ];
  const keptBySnapshot = {
    ...template,
    content: { ...template.content, snapshot: { ...snapshot, roms: [{ slot: 1, content }] } },
  };
  const all = {
    pins,
    registry: { all: () => records },
    saved: { all: () => [keptBySnapshot as SavedInstance] },
  };
  assert.deepEqual(imageUsers(all, digestOf("5")), ["web-1", "web-2", "web-3", "base"]);
});
