import assert from "node:assert/strict";
import { test } from "node:test";
import type { Script } from "../../../../test/kit/fake-daemon.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const uuid = "11111111-1111-4111-8111-111111111111";
const group = {
  ...{ uuid, name: "shop", enabled: true, size: 2, problem: "find template 'base': it is gone" },
  ...{ min_size: 1, max_size: 8, warmup_time_ms: 1000, cooldown_time_ms: 2000 },
  template: { uuid },
  policies: [
    { name: "now", enabled: true, type: "on_demand", high_watermark: 0.8 },
    { name: "worn", enabled: true, type: "create", num_requests: 9, replace: true },
    {
      ...{ name: "busy", enabled: false, type: "step", metric: "cpu", adjustment_type: "change" },
      steps: [{ lower_bound: 0, upper_bound: 200, adjustment: -1 }],
    },
  ],
};
const changed = (key: string, name: string) => () => ({
  ...{ status: "success", op_time_us: 1 },
  data: { [key]: [{ status: "success", uuid, name }] },
});
const one: Script = {
  getAutoscaleConfigurations: () => ({
    ...{ status: "success", op_time_us: 1 },
    data: { service_groups: [group] },
  }),
  createAutoscaleConfigurations: changed("service_groups", "shop"),
  deleteAutoscaleConfigurations: changed("service_groups", "shop"),
  createAutoscaleConfigurationPolicy: changed("policies", "busy"),
  deleteAutoscaleConfigurationPolicyByName: changed("policies", "busy"),
};

test("what scales is listed and shown, with what is wrong", async () => {
  const list = await talk(one, ["scale", "ls"]);
  assert.match(list.stdout, /^NAME +MEMBERS +BOUNDS +TEMPLATE +POLICIES +PROBLEM\n/);
  assert.match(list.stdout, /shop +2 +1-8 +gone +now worn busy +find template/);
  assert.equal((await talk(one, ["scale", "ls", "-q"])).stdout, "shop\n");
  const shown = await talk(one, ["scale", "get", "shop"]);
  assert.match(shown.stdout, /bounds +1 to 8\n/);
  assert.match(
    shown.stdout,
    /now: on_demand above 0\.8; worn: create 9 requests replace; busy: step cpu change 0\.\.200=-1 \(off\)/,
  );
});

test("set and rm send what was given", async () => {
  const set = ["scale", "set", "shop", "--template", "base", "--max", "8", "--cooldown", "1m"];
  const { stdout, calls } = await talk(one, set);
  assert.equal(stdout, "shop\n");
  assert.deepEqual(calls[0]?.params, {
    body: [
      {
        ...{ name: "shop", max_size: 8, cooldown_time_ms: 60_000 },
        create_args: { template: { name: "base" } },
      },
    ],
  });
  const rom = ["--rom", "name=code,image=code:1,at=/code"];
  const withRom = await talk(one, ["scale", "set", "shop", "--template", "base", ...rom]);
  const roms = [{ name: "code", at: "/code", image: "code:1" }];
  assert.deepEqual(withRom.calls[0]?.params, {
    body: [{ name: "shop", create_args: { template: { name: "base" }, roms } }],
  });
  const removed = await talk(one, ["scale", "rm", "shop"]);
  assert.deepEqual(removed.calls[0]?.params, { body: [{ name: "shop" }] });
});

test("policies are added and removed by the group's uuid", async () => {
  const add = ["scale", "policy", "add", "shop", "busy"];
  const steps = ["--metric", "cpu", "--step", "..200=-1", "--step", "800..=+2"];
  const { calls } = await talk(one, [...add, ...steps]);
  assert.deepEqual(calls[1]?.params, {
    uuid,
    body: {
      ...{ name: "busy", type: "step", metric: "cpu" },
      steps: [
        { upper_bound: 200, adjustment: -1 },
        { lower_bound: 800, adjustment: 2 },
      ],
    },
  });
  const idle = await talk(one, [...add, "--idle", "1m"]);
  assert.deepEqual(idle.calls[1]?.params, {
    uuid,
    body: { name: "busy", type: "idle", idle_time_ms: 60_000 },
  });
  const create = await talk(one, [...add, "--create", "100", "--replace"]);
  assert.deepEqual(create.calls[1]?.params["body"], {
    ...{ name: "busy", type: "create", num_requests: 100, replace: true },
  });
  const marked = await talk(one, [...add, "--on-demand", "--high-watermark", "0.8"]);
  assert.deepEqual(marked.calls[1]?.params["body"], {
    ...{ name: "busy", type: "on_demand", high_watermark: 0.8 },
  });
  for (const wrong of [
    [],
    ["--replace"],
    ["--on-demand", "--high-watermark", "1.1"],
    ["--create", "100", "--on-demand"],
    ["--on-demand", "--idle", "1m"],
    ["--on-demand", "--metric", "cpu"],
    ["--step", "1=2"],
  ]) {
    assert.equal((await talk(one, [...add, ...wrong])).code, 64, wrong.join(" "));
  }
  const removed = await talk(one, ["scale", "policy", "rm", "shop", "busy"]);
  assert.deepEqual(removed.calls[1]?.params, { uuid, name: "busy" });
});
