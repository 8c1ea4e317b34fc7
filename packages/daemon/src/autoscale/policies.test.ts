import assert from "node:assert/strict";
import { test } from "node:test";
import { asInstanceId } from "@uni/contract/ids";
import type { ScalePolicy } from "@uni/contract/resources/autoscale";
import { configurationOf, withPolicy } from "./policies.ts";
import { policyNamed } from "./test-configurations.ts";
import { viewPolicy } from "./view.ts";

const template = asInstanceId("template");
const madeOf = { template, roms: [] };

test("what is left out has its default, and policies that are not mentioned stay", () => {
  const before = [policyNamed({ name: "now", type: "on_demand" })];
  assert.deepEqual(configurationOf({}, madeOf, before), {
    ...{ minSize: 1, maxSize: 4, warmupMs: 1000, cooldownMs: 1000, ...madeOf, policies: before },
  });
  assert.equal(configurationOf({ min_size: 9 }, madeOf, []).maxSize, 9);
  assert.deepEqual(configurationOf({ policies: [] }, madeOf, before).policies, []);
});

test("a policy is shown as it was asked for", () => {
  const step: ScalePolicy = {
    ...{ name: "busy", enabled: true, type: "step", metric: "inflight_reqs", adjustment_type: "percent" },
    steps: [
      { lower_bound: 0, upper_bound: 2, adjustment: -50 },
      { lower_bound: 2, adjustment: 100 },
    ],
  };
  const idle: ScalePolicy = { name: "quiet", enabled: false, type: "idle", idle_time_ms: 9 };
  const create: ScalePolicy = { name: "worn", enabled: true, type: "create", num_requests: 9, replace: true };
  const now: ScalePolicy = { name: "now", enabled: true, type: "on_demand", high_watermark: 0.8 };
  for (const policy of [step, idle, create, now]) assert.deepEqual(viewPolicy(policyNamed(policy)), policy);
  const older = policyNamed({ name: "p", adjustment_type: "percentage", steps: [{ adjustment: 1 }] });
  assert.equal(viewPolicy(older).adjustment_type, "percent");
});

test("what contradicts itself is refused with the reason", () => {
  const cases: [Partial<ScalePolicy>, RegExp][] = [
    [{}, /a step is needed/],
    [{ steps: [{ lower_bound: 5, upper_bound: 5, adjustment: 1 }] }, /step 1 is empty/],
    [
      {
        steps: [
          { upper_bound: 5, adjustment: 1 },
          { lower_bound: 6, adjustment: 2 },
        ],
      },
      /step 2 must begin/,
    ],
    [
      {
        steps: [
          { upper_bound: 5, adjustment: 1 },
          { lower_bound: 4, adjustment: 2 },
        ],
      },
      /step 2 must begin/,
    ],
    [{ steps: [{ adjustment: 1 }, { lower_bound: 4, adjustment: 2 }] }, /step 2 must begin/],
    [{ adjustment_type: "exact", steps: [{ adjustment: -1 }] }, /less than no member/],
    [{ type: "idle", high_watermark: 0.5 }, /'high_watermark' goes with policies that add/],
    [{ type: "create" }, /'num_requests' is needed/],
    [{ type: "idle", replace: true }, /'replace' goes with type 'create'/],
    [{ type: "idle", steps: [{ adjustment: 1 }] }, /'steps' goes with type 'step'/],
    [{ idle_time_ms: 1, steps: [{ adjustment: 1 }] }, /'idle_time_ms' goes with type 'idle'/],
  ];
  for (const [policy, expected] of cases) {
    assert.throws(() => withPolicy([], { name: "p", ...policy }), expected);
  }
  const now = policyNamed({ name: "now", type: "on_demand" });
  assert.throws(() => withPolicy([now], { name: "now", type: "on_demand" }), { code: "already_exists" });
  assert.throws(() => configurationOf({ min_size: 0, max_size: 0 }, madeOf, []), { code: "invalid_value" });
  assert.throws(() => configurationOf({ min_size: 3, max_size: 2 }, madeOf, []), { code: "invalid_value" });
});
