import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import type { InstanceRecord } from "./record.ts";
import { Registry } from "./registry.ts";
import { account, idOf, otherAccount, recordOf, withRegistry } from "./test-records.ts";

type Heard = [after: string | undefined, before: string | undefined];

const hear = (registry: Registry): Heard[] => {
  const heard: Heard[] = [];
  const show = (record: InstanceRecord | undefined) => record?.status.state;
  registry.onChange((after, before) => heard.push([show(after), show(before)]));
  return heard;
};

test("what was changed is there when the store is opened again, in the order of creation", async () => {
  await withRegistry([recordOf(2), recordOf(1)], async (registry, db) => {
    await registry.change(idOf(1), { spec: { tags: ["a"] }, status: { state: "running" } });
    await registry.remove(idOf(2), 5);
    const again = await Registry.open(db);
    assert.deepEqual(again.all(), registry.all());
    assert.deepEqual(again.get(idOf(1)).spec.tags, ["a"]);
    assert.equal(again.sequenceOf(idOf(2)), registry.sequenceOf(idOf(2)));
    assert.notEqual(again.sequenceOf(idOf(2)), undefined);
  });
});

test("a change is in memory at once, and told once it is stored", async () => {
  await withRegistry([recordOf(1)], async (registry) => {
    const heard = hear(registry);
    const changed = registry.change(idOf(1), { status: { state: "starting" } });
    assert.equal(registry.get(idOf(1)).status.state, "starting");
    assert.deepEqual(heard, []);
    await changed;
    assert.deepEqual(heard, [["starting", "stopped"]]);
  });
});

test("changes at the same moment are all kept and told in their order", async () => {
  await withRegistry([recordOf(1)], async (registry) => {
    const heard = hear(registry);
    await Promise.all([
      registry.change(idOf(1), { status: { state: "starting" } }),
      registry.change(idOf(1), { spec: { vcpus: 3 } }),
      registry.change(idOf(1), { status: { state: "running" } }),
    ]);
    assert.deepEqual(
      heard.map(([after]) => after),
      ["starting", "starting", "running"],
    );
    assert.equal(registry.get(idOf(1)).spec.vcpus, 3);
  });
});

test("a change that the store refuses is taken back", async () => {
  await withRegistry([recordOf(1)], async (registry, db) => {
    const heard = hear(registry);
    await db.destroy();
    await assert.rejects(registry.change(idOf(1), { status: { state: "running" } }));
    assert.equal(registry.get(idOf(1)).status.state, "stopped");
    assert.deepEqual(heard, []);
  });
});

test("nothing is told of an instance after its removal", async () => {
  await withRegistry([recordOf(1)], async (registry) => {
    const heard = hear(registry);
    const removed = registry.remove(idOf(1), 1);
    const late = registry.change(idOf(1), { status: { state: "running" } });
    await Promise.allSettled([removed, late]);
    assert.equal(heard.at(-1)?.[0], undefined);
    assert.equal(registry.find(idOf(1)), undefined);
    assert.equal(registry.findByName(account, "web-1"), undefined);
    await registry.remove(idOf(1), 2);
  });
});

test("a name is free again after its holder went, and is each account's own", async () => {
  await withRegistry([recordOf(1, { name: "web" })], async (registry) => {
    const taken = registry.insert([recordOf(2), recordOf(3, { name: "web" })]);
    await assert.rejects(taken, (error: UniError) => error.code === "already_exists");
    assert.equal(registry.find(idOf(2)), undefined, "all or none");
    await registry.insert([recordOf(4, { name: "web", account: otherAccount })]);
    await registry.remove(idOf(1), 1);
    await registry.insert([recordOf(3, { name: "web" })]);
    assert.equal(registry.findByName(account, "web")?.id, idOf(3));
    assert.equal(registry.findByName(otherAccount, "web")?.id, idOf(4));
    assert.deepEqual([...registry.addresses()].sort(), ["10.0.0.3", "10.0.0.4"]);
    assert.deepEqual(
      registry.ofAccount(account).map((record) => record.id),
      [idOf(3)],
    );
  });
});

test("one name asked for twice at the same moment is given once", async () => {
  await withRegistry([], async (registry) => {
    const asked = [1, 2, 3].map((number) => registry.insert([recordOf(number, { name: "web" })]));
    const results = await Promise.allSettled(asked);
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"]);
    assert.equal(registry.all().length, 1);
  });
});

test("a listener that has left hears nothing", async () => {
  await withRegistry([recordOf(1)], async (registry) => {
    let heard = 0;
    const leave = registry.onChange(() => {
      heard += 1;
    });
    await registry.change(idOf(1), {});
    leave();
    await registry.change(idOf(1), {});
    assert.equal(heard, 1);
  });
});
