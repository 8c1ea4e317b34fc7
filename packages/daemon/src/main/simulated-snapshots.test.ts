/** Templates, checkpoints, branches, rewinds and forks on a node of pretended machines, through the socket. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { until } from "../../../../test/kit/until.ts";
import { directoriesBelow } from "../operations/directories.ts";
import { withDaemon } from "./simulated-daemon.ts";
import { limits, type SimulatedDaemon, type SimulatedHost, startDaemon, withHost } from "./simulated-node.ts";

const run = (daemon: SimulatedDaemon, name: string, more: object = {}) =>
  daemon.call("VM.Run", { image: "hello", name, wait_s: 20, args: ["serve"], ...more });
const idOf = async (daemon: SimulatedDaemon, id: string): Promise<string> =>
  (await daemon.call("VM.Get", { id })).id;
const stateOf = async (daemon: SimulatedDaemon, id: string): Promise<string> =>
  (await daemon.call("VM.Get", { id })).state;

/** What is kept on the disk of memory and of disks that several stand on. */
function kept({ directory }: SimulatedHost): { snapshots: number; layers: number } {
  const { snapshots, layers } = directoriesBelow(directory);
  return { snapshots: readdirSync(snapshots).length, layers: readdirSync(layers).length };
}

test("a branch has the memory of its source, which goes on, and becomes somebody else", async () => {
  await withDaemon(async (daemon, host) => {
    const web = await run(daemon, "web", { tags: ["a"], port_maps: [{ host_port: 1, guest_port: 1 }] });
    host.world.remember(web.id, "n=7");
    const [copy] = await daemon.call("VM.Branch", { ids: ["web"], suffix: "copy" });
    assert.deepEqual([copy.name, copy.state, copy.ports], ["web-copy", "running", []]);
    assert.notEqual(copy.ip, web.ip);
    assert.equal(host.world.recall(copy.id), "n=7");
    host.world.remember(copy.id, "n=8");
    assert.equal(host.world.recall(web.id), "n=7");
    assert.equal(await stateOf(daemon, "web"), "running");
    const becoming = host.guests.becomingOf(copy.id);
    assert.deepEqual(
      [becoming?.kind, becoming?.hostname, becoming?.network.address],
      ["branch", "web-copy", copy.ip],
    );
    assert.deepEqual(kept(host), { snapshots: 1, layers: 1 });
    await daemon.call("VM.Remove", { id: "web", force: true });
    assert.deepEqual(kept(host), { snapshots: 1, layers: 1 });
    await daemon.call("VM.Remove", { id: "web-copy", force: true });
    await until("nothing is kept", () => kept(host).snapshots + kept(host).layers === 0);
  });
});

test("several are taken at one instant: none runs while any is taken", async () => {
  await withDaemon(async (daemon, host) => {
    for (const name of ["web", "db", "cache"]) {
      const { id } = await run(daemon, name);
      host.world.remember(id, name);
    }
    const copies = await daemon.call("VM.Branch", { ids: ["web", "db", "cache"], suffix: "copy" });
    assert.deepEqual(
      copies.map(({ name, id }: { name: string; id: string }) => [name, host.world.recall(id)]),
      [
        ["web-copy", "web"],
        ["db-copy", "db"],
        ["cache-copy", "cache"],
      ],
    );
    await assert.rejects(daemon.call("VM.Branch", { ids: ["web", "db"], name: "x" }), { code: "exclusive" });
    await assert.rejects(daemon.call("VM.Branch", { ids: ["web", "web"] }), { code: "invalid_value" });
    await assert.rejects(daemon.call("VM.Branch", { ids: ["web", "db"], suffix: "copy" }), {
      code: "already_exists",
    });
    assert.ok(host.world.processes.every(({ paused }) => !paused));
  });
});

test("two sets that share members, in another order, do not wait for each other for ever", async () => {
  await withDaemon(async (daemon) => {
    await run(daemon, "a");
    await run(daemon, "b");
    await Promise.all(
      ["1", "2", "3", "4"].map((suffix) =>
        daemon.call("VM.Branch", { ids: Number(suffix) % 2 === 0 ? ["a", "b"] : ["b", "a"], suffix }),
      ),
    );
    assert.equal((await daemon.call("VM.List")).length, 10);
  });
});

test("one that sleeps is branched asleep, one that is stopped with its disk alone", async () => {
  await withDaemon(async (daemon, host) => {
    const web = await run(daemon, "web");
    host.world.remember(web.id, "n=7");
    await daemon.call("VM.Suspend", { id: "web" });
    await until("it sleeps on disk", () => host.world.processes.length === 0);
    const [copy] = await daemon.call("VM.Branch", { ids: ["web"], suffix: "1" });
    assert.equal(host.world.recall(copy.id), "n=7");
    assert.equal(await stateOf(daemon, "web"), "standby");
    assert.deepEqual(
      host.world.processes.map(({ spec }) => spec.id),
      [copy.id],
    );
    await daemon.call("VM.Start", { id: "web" });
    assert.equal(host.world.recall(web.id), "n=7");
    await daemon.call("VM.Stop", { id: "web" });
    const [cold] = await daemon.call("VM.Branch", { ids: ["web"], suffix: "2" });
    assert.equal(cold.state, "running");
    assert.equal(host.world.recall(cold.id), "");
    assert.ok(host.guests.configOf(cold.id) !== undefined, "it was booted");
  });
});

test("a template is its instance no more, its clones stand on it, and it can go while they live", async () => {
  await withDaemon(async (daemon, host) => {
    const base = await run(daemon, "base", { tags: ["t"] });
    host.world.remember(base.id, "ready");
    const made = await daemon.call("createTemplateInstances", { body: [{ name: "base", timeout_s: -1 }] });
    assert.deepEqual(made.data.instances, [
      { status: "success", uuid: base.id, name: "base", state: "template" },
    ]);
    await assert.rejects(daemon.call("VM.Get", { id: "base" }), { code: "not_found" });
    assert.deepEqual(host.world.processes, []);
    assert.equal(host.network.attached.size, 0);
    const clones = await Promise.all(
      ["one", "two"].map((name) => daemon.call("VM.Run", { template: "base", name, wait_s: 20 })),
    );
    for (const { id, state } of clones) {
      assert.deepEqual([state, host.world.recall(id)], ["running", "ready"]);
      await until("it has become", () => host.guests.becomingOf(id)?.kind === "template");
    }
    await assert.rejects(run(daemon, "base"), { code: "already_exists" });
    await assert.rejects(daemon.call("VM.Run", { template: "base", memory: 512 }), { code: "exclusive" });
    const [listed] = (await daemon.call("getTemplateInstances")).data.instances;
    assert.deepEqual([listed.name, listed.state, listed.tags], ["base", "template", ["t"]]);
    const lock = { body: [{ name: "base", prop: "delete_lock", op: "set", value: true }] };
    await daemon.call("updateTemplateInstances", lock);
    const [refused] = (await daemon.call("deleteTemplateInstances", { body: [{ name: "base" }] })).data
      .instances;
    assert.equal(refused.code, "delete_locked");
    lock.body[0] = { ...lock.body[0], value: false } as never;
    await daemon.call("updateTemplateInstances", lock);
    await daemon.call("deleteTemplateInstances", { body: [{ name: "base" }] });
    assert.equal(kept(host).snapshots, 1);
    for (const name of ["one", "two"]) await daemon.call("VM.Remove", { id: name, force: true });
    await until("nothing is kept", () => kept(host).snapshots + kept(host).layers === 0);
  });
});

test("a template of a template of a template", async () => {
  await withDaemon(async (daemon, host) => {
    const { id } = await run(daemon, "t0");
    host.world.remember(id, "0");
    for (const level of [1, 2, 3]) {
      await daemon.call("createTemplateInstances", { body: [{ name: `t${level - 1}`, timeout_s: -1 }] });
      const next = await daemon.call("VM.Run", { template: `t${level - 1}`, name: `t${level}`, wait_s: 20 });
      assert.equal(host.world.recall(next.id), String(level - 1));
      host.world.remember(next.id, String(level));
    }
    for (const level of [0, 1, 2]) {
      await daemon.call("deleteTemplateInstances", { body: [{ name: `t${level}` }] });
    }
    await daemon.call("VM.Suspend", { id: "t3" });
    await daemon.call("VM.Start", { id: "t3" });
    assert.equal(host.world.recall(await idOf(daemon, "t3")), "3");
  });
});

test("a checkpoint is what it was, also after its source is gone; history says what came from what", async () => {
  await withDaemon(async (daemon, host) => {
    const web = await run(daemon, "web");
    host.world.remember(web.id, "before");
    const [saved] = await daemon.call("VM.Checkpoint", { ids: ["web"], name: "first" });
    assert.deepEqual([saved.name, saved.state], ["first", "checkpoint"]);
    host.world.remember(web.id, "after");
    await daemon.call("VM.Checkpoint", { ids: ["web"], name: "second" });
    const [history] = (await daemon.call("getInstanceHistory", { name: ["web"] })).data.instances;
    assert.deepEqual(
      history.history.map(({ name }: { name: string }) => name),
      ["second", "first"],
    );
    await daemon.call("VM.Remove", { id: "web", force: true });
    const again = await daemon.call("VM.Run", { checkpoint: "first", name: "again", wait_s: 20 });
    assert.equal(host.world.recall(again.id), "before");
    const [own] = (await daemon.call("getInstanceHistory", { name: ["again"] })).data.instances;
    assert.deepEqual(own.history[0].name, "first");
    const [of] = (await daemon.call("getCheckpointHistory", { name: ["second"] })).data.instances;
    assert.deepEqual(of.history[0].name, "first");
  });
});

test("rewind: the same instance at an earlier time, running, asleep or stopped, and several together", async () => {
  await withDaemon(async (daemon, host) => {
    const ids: Record<string, string> = {};
    for (const name of ["web", "db"]) {
      const vm = await run(daemon, name);
      ids[name] = vm.id;
      host.world.remember(vm.id, `${name} before`);
    }
    await daemon.call("VM.Checkpoint", { ids: ["web", "db"], suffix: "before" });
    const rewind = (...names: string[]) =>
      daemon.call("VM.Rewind", { rewinds: names.map((id) => ({ id, checkpoint: `${id}-before` })) });
    for (const bring of ["running", "standby", "stopped"]) {
      for (const id of Object.values(ids)) host.world.remember(id, "after");
      if (bring === "standby") await daemon.call("VM.Suspend", { id: "web" });
      if (bring === "stopped") await daemon.call("VM.Stop", { id: "web" });
      const rewound = await rewind("web", "db");
      for (const { id, name, state, ip } of rewound) {
        assert.deepEqual([id, state], [ids[name], "running"]);
        assert.equal(host.world.recall(id), `${name} before`);
        const becoming = host.guests.becomingOf(id);
        assert.deepEqual([becoming?.kind, becoming?.network.address], ["rewind", ip]);
      }
    }
    const other = await run(daemon, "other");
    await assert.rejects(
      daemon.call("VM.Rewind", { rewinds: [{ id: "other", checkpoint: "web-before" }] }),
      /none of this instance/,
    );
    assert.equal(await stateOf(daemon, other.id), "running");
  });
});

test("a guest asks to become a template, and for a fork of itself", async () => {
  await withDaemon(async (daemon, host) => {
    const web = await run(daemon, "web");
    host.guests.request(web.id, "fork-requested");
    await until("the parent knows its child", () => host.guests.heardBy(web.id).answers.length === 1);
    const [child] = host.guests.heardBy(web.id).answers as { id: string }[];
    const childId = child?.id ?? "";
    await until("the child runs", () => host.guests.becomingOf(childId)?.kind === "fork");
    assert.deepEqual((await daemon.call("VM.Inspect", { id: childId })).features, ["delete-on-stop"]);
    await host.guests.end(childId, 5);
    const isOver = () => host.guests.heardBy(web.id).children.some(({ status }) => status === "stopped");
    await until("the parent hears how it ended", isOver);
    assert.equal(host.guests.heardBy(web.id).children.at(-1)?.exitCode, 5);
    host.guests.request(web.id, "template-requested");
    await until("it is a template", () => daemon.registry.all().length === 0);
    const [template] = (await daemon.call("getTemplateInstances")).data.instances;
    assert.equal(template.uuid, web.id);
  });
});

test("templates on demand: prepared once for many, dropped without a name, given up in time", async () => {
  await withDaemon(async (daemon) => {
    const prepared = { name: "ready", prepare: true, create_args: { image: "hello", args: ["template"] } };
    const create = (template: object, more: object = {}) =>
      daemon.call("createInstance", { body: { template, autostart: true, timeout_s: 20, ...more } });
    const all = await Promise.all(["a", "b", "c"].map((name) => create(prepared, { name })));
    for (const { data } of all) assert.equal(data.instances[0].state, "running", data.instances[0].message);
    assert.equal((await daemon.call("getTemplateInstances")).data.instances.length, 1);
    await create({ prepare: true, create_args: { image: "hello", args: ["template"] } });
    assert.equal((await daemon.call("getTemplateInstances")).data.instances.length, 1);
    const late = { prepare: true, prepare_timeout_s: 1, create_args: { image: "hello", args: ["serve"] } };
    const [failed] = (await create(late)).data.instances;
    assert.equal(failed.code, "timed_out");
    const ends = { prepare: true, create_args: { image: "hello", args: ["exit", "3"] } };
    const [ended] = (await create(ends)).data.instances;
    assert.match(ended.message, /ended before it asked/);
    assert.equal((await daemon.call("VM.List")).length, 4);
  });
});

test("a parent hears how a fork ended while nobody could tell it: across a sleep, and another daemon", async () => {
  await withHost(async (host) => {
    const first = await startDaemon(host);
    const { id } = await run(first, "web");
    const fork = async (count: number) => {
      host.guests.request(id, "fork-requested");
      await until("it knows its child", () => host.guests.heardBy(id).answers.length === count);
      const child = (host.guests.heardBy(id).answers.at(-1) as { id: string }).id;
      await until("the child runs", () => host.guests.becomingOf(child)?.kind === "fork");
      return child;
    };
    const heard = (child: string, code: number) => () =>
      host.guests
        .heardBy(id)
        .children.some(
          (state) => state.id === child && state.status === "stopped" && state.exitCode === code,
        );
    const child = await fork(1);
    await first.kill();
    await host.guests.end(child, 3);
    const second = await startDaemon(host);
    try {
      await second.recovered;
      await until("it hears of it", heard(child, 3));
      const other = await fork(2);
      await second.call("VM.Suspend", { id: "web" });
      await until("it sleeps on disk", () => host.world.processes.length === 1);
      await host.guests.end(other, 4);
      await until("the child is gone", () => second.registry.all().length === 1);
      await second.call("VM.Start", { id: "web" });
      await until("it hears of that", heard(other, 4));
    } finally {
      await second.close();
    }
  });
});

test("a parent that slept while its fork ended hears of it under another daemon", async () => {
  await withHost(async (host) => {
    const first = await startDaemon(host);
    const { id } = await run(first, "web");
    host.guests.request(id, "fork-requested");
    await until("it knows its child", () => host.guests.heardBy(id).answers.length === 1);
    const { id: child } = host.guests.heardBy(id).answers[0] as { id: string };
    await until("the child runs", () => host.guests.becomingOf(child)?.kind === "fork");
    await first.call("VM.Suspend", { id: "web" });
    await until("it sleeps on disk", () => host.world.processes.length === 1);
    await host.guests.end(child, 5);
    await until("the child is gone", () => first.registry.all().length === 1);
    await until("its end is kept", () => first.registry.all()[0]?.status.forkEnds.length === 1);
    await first.kill();
    const second = await startDaemon(host);
    try {
      await second.recovered;
      await second.call("VM.Start", { id: "web" });
      await until("it hears of it", () =>
        host.guests.heardBy(id).children.some((state) => state.id === child && state.exitCode === 5),
      );
      await until("it is kept no more", () => second.registry.all()[0]?.status.forkEnds.length === 0);
    } finally {
      await second.close();
    }
  });
});

test("templates on demand are made of one another, and a daemon that dies meanwhile leaves no preparation", async () => {
  await withHost(async (host) => {
    const ready = (name: string, from: object, args: string[]) => ({
      ...{ name, prepare: true, prepare_timeout_s: 20 },
      create_args: { ...from, args },
    });
    const inner = ready("inner", { image: "hello" }, ["template"]);
    const outer = { name: "outer", prepare: true, prepare_timeout_s: 20, create_args: { template: inner } };
    const create = (daemon: SimulatedDaemon, name: string) =>
      daemon.call("createInstance", { body: { template: outer, name, autostart: true, timeout_s: 20 } });
    const first = await startDaemon(host);
    const lost = create(first, "lost").catch(() => {});
    const preparing = () => first.registry.all().find(({ spec }) => spec.preparation);
    await until("the outer one is prepared from the inner one", () => {
      const record = preparing();
      return record !== undefined && host.guests.becomingOf(record.id)?.kind === "template";
    });
    await first.kill();
    await lost;
    const second = await startDaemon(host);
    try {
      await second.recovered;
      await until("no preparation is left", () => second.registry.all().length === 0);
      const names = async () =>
        (await second.call("getTemplateInstances")).data.instances.map(({ name }: { name: string }) => name);
      assert.deepEqual(await names(), ["inner"]);
      const made = create(second, "made");
      await until("it is prepared again", () => second.registry.all().some(({ spec }) => spec.preparation));
      const again = second.registry.all().find(({ spec }) => spec.preparation)?.id ?? "";
      await until("it has become itself", () => host.guests.becomingOf(again)?.kind === "template");
      host.guests.request(again, "template-requested");
      const [instance] = (await made).data.instances;
      assert.equal(instance.state, "running", instance.message);
      assert.deepEqual((await names()).sort(), ["inner", "outer"]);
    } finally {
      await second.close();
    }
  });
});

test("templates count as instances of the account", async () => {
  await withHost(async (host) => {
    const daemon = await startDaemon(host, { nodeLimits: { ...limits, instances: 2 } });
    try {
      await run(daemon, "base");
      await daemon.call("createTemplateInstances", { body: [{ name: "base", timeout_s: -1 }] });
      await run(daemon, "one");
      await assert.rejects(run(daemon, "two"), { code: "quota_exceeded" });
      const [quotas] = (await daemon.call("getUser")).data.quotas;
      assert.equal(quotas.used.instances, 2);
      await daemon.call("deleteTemplateInstances", { body: [{ name: "base" }] });
      await run(daemon, "two");
    } finally {
      await daemon.close();
    }
  });
});
