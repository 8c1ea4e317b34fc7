import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { watchEmptyGroups } from "./autokill.ts";
import { followInstances } from "./membership.ts";
import { ServiceGroups } from "./service-groups.ts";
import { account, instance, makePlace, nodeDomain, plainSpec, stranger } from "./test-groups.ts";

const draft = (name: string, more: Partial<typeof plainSpec> = {}) => ({
  account,
  name,
  spec: { ...plainSpec, domains: [{ name, certificate: null }], ...more },
  members: [],
});

test("groups and members survive a reopen, deleted ones keep their place as a cursor", async (context) => {
  const { db, reopen } = await makePlace(context);
  const groups = await ServiceGroups.open(db, nodeDomain);
  const one = await groups.create(draft("one"), 5);
  const two = await groups.create({ ...draft("two"), members: [instance(1)] }, 6);
  await groups.update(one.id, (spec) => ({ ...spec, softLimit: 9 }));
  await groups.join(one.id, instance(2));
  const three = await groups.create(draft("three"), 7);
  await groups.remove(three.id, 8);

  const again = await ServiceGroups.open(await reopen(), nodeDomain);
  assert.deepEqual(again.catalogue.all(), groups.catalogue.all());
  assert.equal(again.catalogue.get(one.id).spec.softLimit, 9);
  assert.deepEqual(again.membersOf(one.id), [instance(2)]);
  assert.equal(again.groupOf(instance(1))?.id, two.id);
  const page = (from: string) => again.catalogue.page(account, { count: 5, from, order: "desc" });
  assert.deepEqual(
    page(three.id).map(({ name }) => name),
    ["two", "one"],
  );
  assert.deepEqual(page("33333333-3333-4333-8333-333333333333"), []);
});

test("names are free once per account, domains once for all, and an instance has one group", async (context) => {
  const { db } = await makePlace(context);
  const groups = await ServiceGroups.open(db, nodeDomain);
  const [one] = await Promise.all([
    groups.create(draft("one"), 1),
    assert.rejects(groups.create({ ...draft("one"), spec: draft("x").spec }, 1), { code: "already_exists" }),
  ]);
  const theirs = { ...draft("one"), account: stranger };
  await assert.rejects(groups.create(theirs, 1), /one\.uni\.localhost' belongs to another/);
  await groups.create({ ...theirs, spec: draft("theirs").spec }, 1);
  assert.throws(() => groups.catalogue.resolve(stranger, { uuid: one.id }), { code: "not_found" });
  await assert.rejects(
    groups.update(one.id, (spec) => ({ ...spec, domains: draft("theirs").spec.domains })),
    { code: "already_exists" },
  );
  const two = await groups.create({ ...draft("two"), members: [instance(1)] }, 1);
  await assert.rejects(groups.join(one.id, instance(1)), /belongs to service group 'two'/);
  await assert.rejects(groups.remove(two.id, 1), /has 1 instance/);
});

test("a group that is not persistent goes with its last instance, another one stays and is empty", async (context) => {
  const { db, reopen } = await makePlace(context);
  const groups = await ServiceGroups.open(db, nodeDomain);
  const brief = { ...draft("brief", { persistent: false }), members: [instance(1), instance(2)] };
  const { id } = await groups.create(brief, 1);
  const lasting = await groups.create({ ...draft("lasting"), members: [instance(3)] }, 1);
  assert.equal(lasting.emptySince, null);
  await groups.leave(instance(1), 2);
  assert.deepEqual(groups.membersOf(id), [instance(2)]);
  await groups.leave(instance(2), 3);
  await groups.leave(instance(3), 4);
  await groups.leave(instance(9), 5);
  const again = await ServiceGroups.open(await reopen(), nodeDomain);
  assert.deepEqual(
    again.catalogue.all().map(({ name, emptySince }) => [name, emptySince]),
    [["lasting", 4]],
  );
});

test("instances that went while the daemon was away leave their groups, others when they go", async (context) => {
  const { db, clock } = await makePlace(context);
  const groups = await ServiceGroups.open(db, nodeDomain);
  const { id } = await groups.create({ ...draft("web"), members: [instance(1), instance(2)] }, 1);
  const gone: ((id: ReturnType<typeof instance>) => void)[] = [];
  const watch = {
    exists: (each: ReturnType<typeof instance>) => each !== instance(1),
    onGone: (listener: (typeof gone)[number]) => {
      gone.push(listener);
      return () => gone.pop();
    },
  };
  const stop = await followInstances(groups, watch, clock, silentLog);
  assert.deepEqual(groups.membersOf(id), [instance(2)]);
  const changed = new Promise<void>((resolve) => groups.onChange(resolve));
  for (const tell of gone) tell(instance(2));
  await changed;
  assert.deepEqual(groups.membersOf(id), []);
  assert.equal(groups.catalogue.get(id).emptySince, clock.now());
  stop();
  assert.equal(gone.length, 0);
});

test("an empty group goes after its time, unless somebody joins", async (context) => {
  const { db, clock } = await makePlace(context);
  const groups = await ServiceGroups.open(db, nodeDomain);
  const stop = watchEmptyGroups(groups, clock, silentLog);
  const short = await groups.create(draft("short", { autokillMs: 100 }), clock.now());
  const used = await groups.create(draft("used", { autokillMs: 50 }), clock.now());
  const kept = await groups.create(draft("kept"), clock.now());
  await groups.join(used.id, instance(1));
  await clock.advance(99);
  assert.ok(groups.catalogue.find(short.id));
  const removed = new Promise<void>((resolve) => groups.onChange(resolve));
  await clock.advance(1);
  await removed;
  assert.deepEqual(
    groups.catalogue.all().map(({ id }) => id),
    [used.id, kept.id],
  );
  stop();
});

test("a timer that is shorter than the wait removes nothing early", async (context) => {
  const { db, clock } = await makePlace(context);
  const groups = await ServiceGroups.open(db, nodeDomain);
  const { id } = await groups.create(draft("late", { autokillMs: 35 }), clock.now());
  const short: Clock = {
    now: () => clock.now(),
    monotonicUs: () => clock.monotonicUs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    after: (ms, task) => clock.after(Math.min(ms, 10), task),
  };
  const removed = new Promise<void>((resolve) => groups.onChange(resolve));
  const stop = watchEmptyGroups(groups, short, silentLog);
  await clock.advance(34);
  assert.ok(groups.catalogue.find(id));
  await clock.advance(1);
  await removed;
  assert.equal(groups.catalogue.find(id), undefined);
  stop();
});
