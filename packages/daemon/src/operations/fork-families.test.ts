import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceId } from "@uni/contract/ids";
import { ManualClock } from "../base/manual-clock.ts";
import { requestsApartMs, requestsAtOnce } from "../guest/requests.ts";
import type { InstanceRecord } from "../instances/record.ts";
import { ForkFamilies } from "./fork-families.ts";

/** By member. "b" is gone. */
const families = new Map([
  ["a1", "a"],
  ["a2", "a"],
  ["a", null],
  ["b1", "b"],
  ["b2", "b"],
]);

const registry = {
  find: (id: InstanceId) =>
    families.has(id)
      ? ({ spec: { forkFamily: families.get(id) ?? null } } as unknown as InstanceRecord)
      : undefined,
};

test("a family forks some times at once and then once each second, whichever of them asks", async () => {
  const clock = new ManualClock();
  const forkFamilies = new ForkFamilies(clock, registry);
  let forks = 0;
  const ask = (...ids: string[]) => {
    for (const id of ids) void forkFamilies.turn(id as InstanceId).then(() => forks++);
  };
  for (let n = 0; n < requestsAtOnce; n++) ask("a", "a1", "a2");
  await clock.advance(0);
  assert.equal(forks, requestsAtOnce);
  await clock.advance(3 * requestsApartMs);
  assert.equal(forks, requestsAtOnce + 3);
  for (let n = 0; n < requestsAtOnce; n++) ask("b1", "b2");
  await clock.advance(0);
  assert.equal(forks, 2 * requestsAtOnce + 3, "another family has its own");
  await clock.advance(100 * requestsApartMs);
  assert.equal(forks, 5 * requestsAtOnce);
});
