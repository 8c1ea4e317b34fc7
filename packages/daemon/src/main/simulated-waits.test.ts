/** Templates and checkpoints for those who do not wait until they are made, and how many an account may have. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { asInstanceId } from "@uni/contract/ids";
import { until } from "../../../../test/kit/until.ts";
import { mostPerAccount } from "../base/catalogue.ts";
import { account, recordOf } from "../instances/test-records.ts";
import { directoriesBelow } from "../operations/directories.ts";
import { SavedInstances } from "../snapshots/saved-instances.ts";
import { ensureAccount } from "../store/accounts.ts";
import { openDatabase } from "../store/open.ts";
import { withDaemon } from "./simulated-daemon.ts";
import { limits, type SimulatedDaemon, type SimulatedHost, startDaemon, withHost } from "./simulated-node.ts";

const run = (daemon: SimulatedDaemon, name: string) =>
  daemon.call("VM.Run", { image: "hello", name, wait_s: 20, args: ["serve"] });
const makeTemplate = async (daemon: SimulatedDaemon, item: object) =>
  (await daemon.call("createTemplateInstances", { body: [item] })).data.instances[0];
const makeCheckpoint = async (daemon: SimulatedDaemon, item: object) =>
  (await daemon.call("createCheckpointInstances", { body: [item] })).data.instances[0];
const checkpoint = async (daemon: SimulatedDaemon, reference: object) =>
  (await daemon.call("getCheckpointInstances", { body: [reference] })).data.instances[0];
const template = async (daemon: SimulatedDaemon, reference: object) =>
  (await daemon.call("getTemplateInstances", { body: [reference] })).data.instances[0];

test("a checkpoint that is not waited for is starting, has its id at once, and goes on without its client", async () => {
  await withDaemon(async (daemon, host) => {
    const { id } = await run(daemon, "web");
    host.world.remember(id, "n=7");
    const release = daemon.holdSnapshots();
    const from = { name: "web" };
    const asked = await makeCheckpoint(daemon, { from, timeout_s: 0, tags: ["t"] });
    assert.deepEqual([asked.status, asked.state], ["success", "starting"]);
    assert.match(asked.name, /^web-/);
    const { uuid } = asked;
    for (const reference of [{ uuid }, { name: asked.name }]) {
      const { state, tags, memory_mb } = await checkpoint(daemon, reference);
      assert.deepEqual([state, tags, memory_mb > 0], ["starting", ["t"], true]);
    }
    for (const other of [
      await makeCheckpoint(daemon, { from }),
      await makeTemplate(daemon, { ...from, timeout_s: -1 }),
    ]) {
      assert.equal(other.code, "wrong_state");
      assert.match(other.message, /'web': another capture of it goes on/);
    }
    await assert.rejects(daemon.call("VM.Run", { checkpoint: asked.name, name: "early" }), {
      code: "not_found",
    });
    release();
    await until("it is made", async () => (await checkpoint(daemon, { uuid })).state === "checkpoint");
    const old = await daemon.call("VM.Run", { checkpoint: asked.name, name: "old", wait_s: 20 });
    assert.equal(host.world.recall(old.id), "n=7");
    const waited = await makeCheckpoint(daemon, { from, name: "second", timeout_s: -1 });
    assert.deepEqual([waited.status, waited.state], ["success", "checkpoint"]);
  });
});

test("a wait for a checkpoint or a template that runs out is told apart from a failure", async () => {
  await withDaemon(async (daemon) => {
    const { id } = await run(daemon, "web");
    const release = daemon.holdSnapshots();
    const late = await makeCheckpoint(daemon, { from: { name: "web" }, name: "first", timeout_s: 1 });
    assert.deepEqual([late.status, late.code, late.state], ["error", undefined, "starting"]);
    release();
    await until(
      "it is made",
      async () => (await checkpoint(daemon, { name: "first" })).state === "checkpoint",
    );
    const releaseAgain = daemon.holdSnapshots();
    const second = await makeTemplate(daemon, { name: "web", timeout_s: 1 });
    assert.deepEqual(
      [second.status, second.code, second.uuid, second.state],
      ["error", undefined, id, "running"],
    );
    releaseAgain();
    await until("it is a template", async () => (await template(daemon, { uuid: id })).state === "template");
  });
});

test("a template that is not waited for is its instance until it is made", async () => {
  await withDaemon(async (daemon) => {
    const { id: uuid } = await run(daemon, "base");
    const release = daemon.holdSnapshots();
    const asked = await makeTemplate(daemon, { name: "base", timeout_s: 0 });
    assert.deepEqual(asked, { status: "success", uuid, name: "base", state: "running" });
    assert.equal((await template(daemon, { uuid })).code, "not_found");
    assert.equal((await daemon.call("VM.Get", { id: "base" })).id, uuid);
    release();
    await until("it is a template", async () => (await template(daemon, { uuid })).state === "template");
    await assert.rejects(daemon.call("VM.Get", { id: "base" }), { code: "not_found" });
  });
});

test("one that is being made can be removed: it is not made, leaves nothing, and its instance goes on", async () => {
  await withDaemon(async (daemon, host) => {
    const { id } = await run(daemon, "web");
    const release = daemon.holdSnapshots();
    const asked = await makeCheckpoint(daemon, { from: { name: "web" }, name: "kept", timeout_s: 0 });
    const removed = daemon.call("deleteCheckpointInstances", { body: [{ name: "kept" }] });
    release();
    const [answer] = (await removed).data.instances;
    assert.deepEqual([answer.status, answer.uuid, answer.name], ["success", asked.uuid, "kept"]);
    assert.equal((await checkpoint(daemon, { uuid: asked.uuid })).code, "not_found");
    assert.equal((await daemon.call("VM.Get", { id })).state, "running");
    const { snapshots, layers } = directoriesBelow(host.directory);
    await until("no memory is kept", () => readdirSync(snapshots).length === 0);
    const again = await makeCheckpoint(daemon, { from: { name: "web" }, name: "kept", timeout_s: -1 });
    assert.equal(again.state, "checkpoint");
    const releaseTemplate = daemon.holdSnapshots();
    await makeTemplate(daemon, { name: "web", timeout_s: 0 });
    const removal = daemon.call("VM.Remove", { id: "web", force: true });
    releaseTemplate();
    await removal;
    assert.equal((await template(daemon, { uuid: id })).code, "not_found");
    await assert.rejects(daemon.call("VM.Get", { id }), { code: "not_found" });
    await daemon.call("deleteCheckpointInstances", { body: [{ name: "kept" }] });
    await until("nothing is kept", () => readdirSync(snapshots).length + readdirSync(layers).length === 0);
  });
});

test("a name is a checkpoint's from the moment that it is asked for: a second one is refused at once", async () => {
  await withDaemon(async (daemon) => {
    await run(daemon, "web");
    await run(daemon, "db");
    for (const timeout_s of [0, -1]) {
      const release = daemon.holdSnapshots();
      const first = makeCheckpoint(daemon, { from: { name: "web" }, name: "kept", timeout_s });
      if (timeout_s === 0) await first;
      const second = await makeCheckpoint(daemon, { from: { name: "db" }, name: "kept", timeout_s: 0 });
      assert.equal(second.code, "already_exists");
      await assert.rejects(daemon.call("VM.Checkpoint", { ids: ["db"], name: "kept" }), {
        code: "already_exists",
      });
      release();
      const { uuid } = await first;
      await until("it is made", async () => (await checkpoint(daemon, { uuid })).state === "checkpoint");
      await daemon.call("deleteCheckpointInstances", { body: [{ name: "kept" }] });
    }
  });
});

test("what nobody waits for and fails is not there, and leaves its instance as it was", async () => {
  await withDaemon(async (daemon, host) => {
    const { id } = await run(daemon, "web");
    const fail = async (ask: () => Promise<{ status: string; uuid: string }>) => {
      const release = daemon.holdSnapshots();
      daemon.failNextCapture("take", new UniError("no_space", "write a snapshot: the disk is full"));
      const asked = await ask();
      assert.equal(asked.status, "success");
      release();
      return asked.uuid;
    };
    const uuid = await fail(() => makeCheckpoint(daemon, { from: { name: "web" } }));
    await until("it is given up", async () => (await checkpoint(daemon, { uuid })).code === "not_found");
    await fail(() => makeTemplate(daemon, { name: "web" }));
    const made = await until("the next one is made", async () => {
      const next = await makeCheckpoint(daemon, { from: { name: "web" }, timeout_s: -1 });
      return next.code === "wrong_state" ? undefined : next;
    });
    assert.equal(made.state, "checkpoint");
    assert.equal((await daemon.call("VM.Get", { id })).state, "running");
    assert.ok(host.world.processes.every(({ paused }) => !paused));
  });
});

test("what is not waited for is not begun for what is known to fail", async () => {
  await withDaemon(async (daemon) => {
    await run(daemon, "web");
    await run(daemon, "db");
    const taken = await makeCheckpoint(daemon, { from: { name: "web" }, name: "db" });
    assert.equal(taken.code, "already_exists");
    assert.equal((await makeTemplate(daemon, { name: "none" })).code, "not_found");
    const lock = [{ name: "web", prop: "delete_lock", op: "set", value: true }];
    await daemon.call("updateInstances", { body: lock });
    assert.equal((await makeTemplate(daemon, { name: "web" })).error, 14);
  });
});

test("a daemon that dies before it has made what nobody waited for has made nothing, and loses nothing", async () => {
  await withHost(async (host) => {
    const first = await startDaemon(host);
    const ids: Record<string, string> = {};
    for (const name of ["web", "base"]) {
      ids[name] = (await run(first, name)).id;
      host.world.remember(ids[name] ?? "", name);
    }
    first.holdSnapshots();
    const { uuid } = await makeCheckpoint(first, { from: { name: "web" }, name: "kept", timeout_s: 0 });
    assert.equal((await makeTemplate(first, { name: "base", timeout_s: 0 })).state, "running");
    await first.kill();
    const second = await startDaemon(host);
    try {
      await second.recovered;
      assert.equal((await checkpoint(second, { uuid })).code, "not_found");
      for (const [name, id] of Object.entries(ids)) {
        await until("it runs", async () => (await second.call("VM.Get", { id })).state === "running");
        assert.equal(host.world.recall(id), name);
      }
      const again = await makeCheckpoint(second, { from: { name: "web" }, name: "kept", timeout_s: -1 });
      assert.equal(again.state, "checkpoint");
      assert.equal((await makeTemplate(second, { name: "base", timeout_s: -1 })).state, "template");
    } finally {
      await second.close();
    }
  });
});

test("an account has 1,000 checkpoints at most, which are no instances of its quota", async () => {
  await withHost(async (host) => {
    await fillShelf(host, mostPerAccount - 1);
    const daemon = await startDaemon(host, { nodeLimits: { ...limits, instances: 2 } });
    try {
      await run(daemon, "web");
      await run(daemon, "db");
      const last = { ids: ["web", "db"], suffix: "kept" };
      await assert.rejects(daemon.call("VM.Checkpoint", last), { code: "quota_exceeded" });
      const from = { name: "web" };
      assert.equal((await makeCheckpoint(daemon, { from, timeout_s: -1 })).state, "checkpoint");
      assert.equal((await makeCheckpoint(daemon, { from })).code, "quota_exceeded");
      const [quotas] = (await daemon.call("getUser")).data.quotas;
      assert.equal(quotas.used.instances, 2);
      await daemon.call("deleteCheckpointInstances", { body: [{ name: "kept-1" }] });
      assert.equal((await makeCheckpoint(daemon, { from, timeout_s: -1 })).state, "checkpoint");
    } finally {
      await daemon.close();
    }
  });
});

/** Checkpoints kept-1, kept-2 ... of an instance that is gone. */
async function fillShelf(host: SimulatedHost, count: number): Promise<void> {
  const db = await openDatabase(join(host.directory, "uni.db"));
  try {
    await ensureAccount(db, { id: account, name: "admin" }, 1);
    const { id: takenOf, spec } = recordOf(1);
    const content = { spec, takenOf, snapshot: null, layer: null, autokillMs: 0, usedAt: 1 };
    const made = Array.from({ length: count }, (_none, index) => ({
      ...{ id: asInstanceId(randomUUID()), account, kind: "checkpoint" as const, createdAt: 1, content },
      name: `kept-${index + 1}`,
    }));
    await (await SavedInstances.open(db)).create(made);
  } finally {
    await db.destroy();
  }
}
