import assert from "node:assert/strict";
import { test } from "node:test";
import { asInstanceId } from "@uni/contract/ids";
import fc from "fast-check";
import { decide, type Member, type Moment } from "./engine.ts";
import { policyNamed, withPolicies } from "./test-configurations.ts";

const member = (name: string, more: Partial<Member> = {}): Member => ({
  id: asInstanceId(name),
  removable: true,
  state: "awake",
  ageMs: 60_000,
  inFlight: 0,
  idleMs: 0,
  cpuMillicores: 0,
  requestsPerSec: 0,
  served: 0,
  ...more,
});
const own = member("own", { removable: false });
const calm = { softLimit: 2, sinceOutMs: 60_000, sinceInMs: 60_000, replacing: false, waiting: 0 };
const at = (members: readonly Member[], more: Partial<Moment> = {}): Moment => ({
  ...calm,
  members,
  ...more,
});
const cpu = (millicores: number) => ({ cpuMillicores: millicores });

const steps = policyNamed({
  name: "busy",
  metric: "cpu",
  steps: [
    { upper_bound: 200, adjustment: -1 },
    { lower_bound: 200, upper_bound: 800, adjustment: 0 },
    { lower_bound: 800, adjustment: 2 },
  ],
});
const onDemand = policyNamed({ name: "now", type: "on_demand" });
const worn = policyNamed({ name: "worn", type: "create", num_requests: 10 });
const wornOut = policyNamed({ name: "worn out", type: "create", num_requests: 5, replace: true });
const idle = policyNamed({ name: "quiet", type: "idle", idle_time_ms: 5000 });

test("a step is picked by the average of the members that are warm", () => {
  const configuration = withPolicies([steps], { maxSize: 9 });
  const out = decide(configuration, at([member("a", cpu(1500)), member("b", cpu(700))]));
  assert.deepEqual([out.kind, out.kind === "out" && out.count], ["out", 2]);
  assert.equal(decide(configuration, at([member("a", cpu(500))])).kind, "none");
  const cold = member("b", { ...cpu(9000), ageMs: 10 });
  assert.equal(decide(configuration, at([member("a", cpu(500)), cold])).kind, "none");
  const down = decide(configuration, at([own, member("a", { inFlight: 3 }), member("b")]));
  assert.deepEqual(down.kind === "in" && down.members, ["b"]);
});

test("exact and percent: a part of a member is a whole one", () => {
  const with_ = (adjustment_type: "exact" | "percent", adjustment: number) =>
    withPolicies([policyNamed({ name: "p", adjustment_type, steps: [{ adjustment }] })], { maxSize: 9 });
  const three = at([own, member("a"), member("b")]);
  assert.deepEqual(decide(with_("exact", 5), three).kind === "out" && decide(with_("exact", 5), three), {
    kind: "out",
    count: 2,
    reason: "policy 'p': cpu is 0",
    ...{ successorsOf: [], highWatermark: 0 },
  });
  const more = decide(with_("percent", 10), three);
  assert.equal(more.kind === "out" && more.count, 1);
  const fewer = decide(with_("percent", -10), three);
  assert.equal(fewer.kind === "in" && fewer.members.length, 1);
});

test("on demand: at once when nobody is free, and not while one starts or sleeps", () => {
  const configuration = withPolicies([onDemand], { maxSize: 4 });
  const full = member("a", { inFlight: 2 });
  const busy = { sinceOutMs: 0, sinceInMs: 0 };
  assert.equal(decide(configuration, at([full], busy)).kind, "out");
  for (const other of [{ inFlight: 1 }, { state: "starting" }, { state: "asleep" }] as const) {
    assert.equal(decide(configuration, at([full, member("b", other)], busy)).kind, "none");
  }
  assert.equal(decide(configuration, at([full, full, full, full], busy)).kind, "none");
});

test("idle: those without requests for so long go, sleepers first, and never the last or the owner's", () => {
  const configuration = withPolicies([idle]);
  const quiet = { idleMs: 6000 };
  const some = decide(configuration, at([own, member("a", quiet), member("b", { idleMs: 10 })]));
  assert.deepEqual(some.kind === "in" && some.members, ["a"]);
  const asleep = member("b", { ...quiet, state: "asleep" });
  const last = decide(configuration, at([member("a", { idleMs: 9000 }), asleep]));
  assert.deepEqual(last.kind === "in" && last.members, ["b"]);
  assert.equal(
    decide(
      configuration,
      at([
        { ...own, ...quiet },
        { ...own, ...quiet },
      ]),
    ).kind,
    "none",
  );
});

test("create: a member more for each that has served its number, or in its place and one after the other", () => {
  const create = { name: "worn", type: "create", num_requests: 10 } as const;
  const some = [own, member("a", { served: 11 }), member("b", { served: 12 }), member("c", { served: 10 })];
  const more = withPolicies([policyNamed(create)], { maxSize: 9 });
  const out = decide(more, at([{ ...own, served: 99 }, ...some.slice(1)]));
  assert.deepEqual(out, {
    ...{ kind: "out", count: 3, reason: "policy 'worn'" },
    ...{ successorsOf: ["own", "a", "b"], highWatermark: 0 },
  });
  assert.equal(decide({ ...more, maxSize: 4 }, at(some)).kind, "none");
  const one = decide({ ...more, maxSize: 5 }, at(some));
  assert.deepEqual(one.kind === "out" && one.successorsOf, ["a"]);

  const inPlace = withPolicies([policyNamed({ ...create, replace: true })], { maxSize: 4 });
  const replaced = decide(inPlace, at([{ ...own, served: 99 }, ...some.slice(1)]));
  assert.deepEqual([replaced.kind, replaced.kind === "replace" && replaced.member], ["replace", "b"]);
  for (const not of [{ replacing: true }, { sinceOutMs: 10 }]) {
    assert.equal(decide(inPlace, at(some, not)).kind, "none");
  }
  assert.equal(decide(inPlace, at([own, member("c", { served: 10 })])).kind, "none");
});

test("a group that may be empty gets its first member when somebody asks, and loses its last one", () => {
  const configuration = withPolicies([onDemand, idle], { minSize: 0 });
  assert.equal(decide(configuration, at([])).kind, "none");
  const pauses = { waiting: 1, sinceOutMs: 0, sinceInMs: 0 };
  const first = decide(configuration, at([], pauses));
  assert.deepEqual([first.kind, first.kind === "out" && first.count], ["out", 1]);
  assert.equal(decide(configuration, at([member("a", { idleMs: 6000 })])).kind, "in");
});

test("growth that a policy asks for is told with that policy's mark", () => {
  const marked = policyNamed({ name: "now", type: "on_demand", high_watermark: 0.5 });
  const grown = decide(withPolicies([steps, marked]), at([member("a", { inFlight: 9 })]));
  assert.equal(grown.kind === "out" && grown.highWatermark, 0.5);
  const others = decide(withPolicies([steps, marked]), at([member("a", { inFlight: 9, ...cpu(900) })]));
  assert.equal(others.kind === "out" && others.highWatermark, 0);
});

test("the policy that wants most members has its way, and one that is not enabled has no say", () => {
  const both = [member("a", { ...cpu(500), idleMs: 9000 }), member("b", { ...cpu(500), idleMs: 9000 })];
  assert.equal(decide(withPolicies([steps, idle]), at(both)).kind, "none");
  assert.equal(decide(withPolicies([{ ...steps, enabled: false }, idle]), at(both)).kind, "in");
});

const members = fc.array(
  fc.record({
    removable: fc.boolean(),
    state: fc.constantFrom("awake", "asleep", "starting"),
    ageMs: fc.nat(20_000),
    inFlight: fc.nat(5),
    idleMs: fc.nat(20_000),
    cpuMillicores: fc.nat(4000),
    requestsPerSec: fc.nat(100),
    served: fc.nat(20),
  }),
  { maxLength: 12 },
);
const cases = fc.record({
  members,
  bounds: fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 1, max: 8 })),
  adjust: fc.constantFrom("change", "exact", "percent"),
  adjustments: fc.tuple(fc.integer({ min: -300, max: 300 }), fc.integer({ min: -300, max: 300 })),
  sinceOutMs: fc.nat(3000),
  sinceInMs: fc.nat(3000),
  calls: fc.subarray([onDemand, idle, worn, wornOut]),
});

test("any facts: sizes stay in bounds, pauses are kept, the owner's members stay, steps are monotone", () => {
  fc.assert(
    fc.property(cases, ({ members: facts, bounds, adjust, adjustments, calls, ...since }) => {
      const [minSize, maxSize] = bounds.toSorted((a, b) => a - b) as [number, number];
      const [low, high] = adjustments.toSorted((a, b) => a - b) as [number, number];
      const policy = {
        ...policyNamed({ name: "p", steps: [{ adjustment: 1 }] }),
        adjust,
        steps: [
          { from: 0, below: 500, adjustment: low },
          { from: 500, below: null, adjustment: high },
        ],
      } as typeof steps;
      const configuration = withPolicies([policy, ...calls], { minSize, maxSize });
      const all = facts.map((fact, index) => member(`m${index}`, fact));
      const sizeAfter = (moment: Moment): number => {
        const decision = decide(configuration, moment);
        const size = moment.members.length;
        if (decision.kind === "none") return size;
        if (decision.kind === "replace") {
          assert.ok(moment.members.find(({ id }) => id === decision.member)?.removable);
          return size;
        }
        if (decision.kind === "out") return size + decision.count;
        const going = moment.members.filter(({ id }) => decision.members.includes(id));
        assert.equal(going.length, new Set(decision.members).size);
        assert.ok(going.every(({ removable }) => removable));
        return size - going.length;
      };
      const moment = at(all, since);
      const after = sizeAfter(moment);
      const size = all.length;
      if (after > size) assert.ok(after <= maxSize);
      if (after < size) assert.ok(after >= minSize);
      assert.ok(size >= minSize || after === minSize);
      const pauses = since.sinceOutMs < 1000 || since.sinceInMs < 1000;
      if (pauses && size <= maxSize) assert.ok(after >= size);
      if (pauses && size >= minSize && !calls.includes(onDemand)) assert.ok(after <= size);
      const busier = all.map((each) => ({ ...each, cpuMillicores: each.cpuMillicores + 300 }));
      assert.ok(sizeAfter(at(busier, since)) >= after);
    }),
  );
});
