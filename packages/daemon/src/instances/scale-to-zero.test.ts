import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { makeSpec } from "./create-spec.ts";
import { readScaleToZero } from "./scale-to-zero.ts";
import { image } from "./test-records.ts";
import { applyUpdate } from "./updates.ts";

const code = (wanted: string) => (error: unknown) => error instanceof UniError && error.code === wanted;

test("what is not said has its documented default", () => {
  assert.deepEqual(readScaleToZero({ policy: "on" }), {
    policy: "on",
    stateful: false,
    cooldownMs: 1000,
    notifyMs: 0,
  });
});

test("a notice that would come no sooner than the sleep is refused", () => {
  assert.throws(() => readScaleToZero({ policy: "on", notify_time_ms: 1000 }), code("invalid_value"));
  assert.equal(readScaleToZero({ policy: "on", notify_time_ms: 999 }).notifyMs, 999);
});

test("it does not go together with delete-on-stop, at creation or later", () => {
  const passing = { features: ["delete-on-stop" as const] };
  assert.throws(() => makeSpec({ ...passing, scale_to_zero: { policy: "idle" } }, image), code("exclusive"));
  const spec = makeSpec({ ...passing, scale_to_zero: { policy: "off" } }, image);
  const change = { prop: "scale_to_zero", op: "add", value: { policy: "on" } } as const;
  assert.throws(() => applyUpdate(spec, change), code("exclusive"));
});

test("set starts from the defaults, add changes what is given, del switches it off", () => {
  const spec = makeSpec({ scale_to_zero: { policy: "idle", cooldown_time_ms: 5000, stateful: true } }, image);
  const change = (op: "set" | "add" | "del", value?: object) =>
    applyUpdate(spec, { prop: "scale_to_zero", op, value }).scaleToZero;
  assert.deepEqual(change("add", { policy: "on" }), { ...spec.scaleToZero, policy: "on" });
  assert.deepEqual(change("set", { policy: "on" }), readScaleToZero({ policy: "on" }));
  assert.equal(change("del"), null);
});
