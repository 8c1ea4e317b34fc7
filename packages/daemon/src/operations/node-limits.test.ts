import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { recordOf } from "../instances/test-records.ts";
import { checkLimits, type NodeLimits, usageOf, type Wanted } from "./node-limits.ts";

const limits: NodeLimits = {
  instances: 3,
  liveVcpus: 4,
  liveMemoryMb: 1000,
  minMemoryMb: 64,
  maxMemoryMb: 900,
  maxVcpus: 4,
};
const records = [
  recordOf(1, { spec: { memoryMb: 400, vcpus: 2 }, status: { state: "running" } }),
  recordOf(2, { spec: { memoryMb: 800, vcpus: 4 } }),
];
const check = (memoryMb: number, vcpus: number, wanted: Omit<Wanted, "spec">) =>
  checkLimits(limits, records, { spec: { memoryMb, vcpus }, ...wanted });

test("only instances that are not stopped use memory and processors", () => {
  assert.deepEqual(usageOf(records, 0), { instances: 2, liveInstances: 1, liveVcpus: 2, liveMemoryMb: 400 });
});

const refused: readonly [
  what: string,
  memoryMb: number,
  vcpus: number,
  Omit<Wanted, "spec">,
  code: string,
][] = [
  ["too little memory", 63, 1, { created: 1, started: 0 }, "memory_too_small"],
  ["more memory than the node allows", 901, 1, { created: 1, started: 0 }, "invalid_value"],
  ["more processors than the node allows", 64, 5, { created: 1, started: 0 }, "invalid_value"],
  ["one instance too many", 64, 1, { created: 2, started: 0 }, "quota_exceeded"],
  ["one too many with the templates", 64, 1, { created: 1, templates: 1, started: 0 }, "quota_exceeded"],
  ["a start over the memory quota", 601, 1, { created: 0, started: 1 }, "quota_exceeded"],
  ["a start over the processor quota", 64, 3, { created: 0, started: 1 }, "quota_exceeded"],
];

for (const [what, memoryMb, vcpus, wanted, code] of refused) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => check(memoryMb, vcpus, wanted),
      (error: UniError) => error.code === code,
    );
  });
}

test("what just fits is let in", () => {
  check(600, 2, { created: 1, started: 1 });
  check(900, 4, { created: 1, started: 0 });
});
