import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import { checkCreateRequest, makeSpec } from "./create-spec.ts";
import { image } from "./test-records.ts";

const refused: readonly [what: string, request: object, code: string, message: RegExp][] = [
  ["volumes", { volumes: [{}] }, "not_supported", /'volumes'/],
  ["type full", { type: "full" }, "not_supported", /'full'/],
  ["GPUs", { gpus: 1 }, "not_supported", /GPUs/],
  ["nested virtualisation", { features: ["nested-virt"] }, "not_supported", /nested-virt/],
  [
    "replicas with host ports",
    { replicas: 1, ports: [{ host_port: 1, guest_port: 1 }] },
    "exclusive",
    /'replicas'/,
  ],
];

for (const [what, request, code, message] of refused) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => checkCreateRequest({ image: "hello", ...request } as CreateInstanceRequest, false),
      (error: UniError) => error.code === code && message.test(error.message),
    );
  });
}

test("what is removed once it stops is not started again", () => {
  const request: CreateInstanceRequest = { features: ["delete-on-stop"], restart_policy: "always" };
  assert.throws(
    () => makeSpec(request, image),
    (error: UniError) => error.code === "exclusive" && /'always'/.test(error.message),
  );
});

test("a wait needs a start", () => {
  const check = (request: CreateInstanceRequest) => checkCreateRequest({ image: "hello", ...request }, true);
  assert.throws(
    () => check({}),
    (error: UniError) => error.code === "exclusive",
  );
  check({ autostart: true });
});

test("empty lists and nulls ask for nothing", () => {
  checkCreateRequest({ image: "hello", volumes: [], plugins: null, gpus: 0, replicas: 0 } as never, false);
});

test("what was not asked for has the documented default", () => {
  const spec = makeSpec({}, image);
  assert.deepEqual(
    [spec.memoryMb, spec.vcpus, spec.restartPolicy, spec.restartLimit, spec.args, spec.entrypoint],
    [limits.memoryMb.default, limits.vcpus.default, "never", null, null, null],
  );
  assert.deepEqual(
    [spec.gracePeriodMs, spec.deleteLock, spec.ports],
    [limits.graceS.default * 1000, false, []],
  );
});

test("what was asked for is kept in one form", () => {
  const spec = makeSpec(
    {
      args: "serve",
      tags: ["a", "b", "a"],
      restart_max_retries: 3,
      grace_period_s: 0,
      ports: [{ host_port: 53, guest_port: 5353, protocol: "udp", host_address: "127.0.0.1" }],
    },
    image,
  );
  assert.deepEqual(
    [spec.args, spec.tags, spec.restartLimit, spec.gracePeriodMs],
    [["serve"], ["a", "b"], 3, 0],
  );
  assert.deepEqual(spec.ports, [
    { hostAddress: "127.0.0.1", hostPort: 53, guestPort: 5353, protocol: "udp" },
  ]);
  assert.equal(makeSpec({ restart_max_retries: 0 }, image).restartLimit, null);
});

test("an image without a program needs one in the request", () => {
  const bare = { ...image, image: { ...image.image, config: { entrypoint: [], cmd: [] } } };
  for (const request of [{}, { args: [] }, { entrypoint: [] }] satisfies CreateInstanceRequest[]) {
    assert.throws(() => makeSpec(request, bare), /names no program/);
  }
  assert.deepEqual(makeSpec({ args: ["sh"] }, bare).args, ["sh"]);
  assert.deepEqual(makeSpec({ entrypoint: ["sh"] }, bare).entrypoint, ["sh"]);
});
