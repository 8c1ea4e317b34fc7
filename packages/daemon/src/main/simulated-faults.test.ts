/** Daemons that die in the middle of a branch, a checkpoint, a template or a rewind, and those that come after. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { until } from "../../../../test/kit/until.ts";
import { directoriesBelow } from "../operations/directories.ts";
import { type SimulatedDaemon, type SimulatedHost, startDaemon, withHost } from "./simulated-node.ts";

const operations: Readonly<Record<string, (daemon: SimulatedDaemon) => Promise<unknown>>> = {
  branch: (daemon) => daemon.call("VM.Branch", { ids: ["web", "db"], suffix: "copy" }),
  checkpoint: (daemon) => daemon.call("VM.Checkpoint", { ids: ["web", "db"], suffix: "again" }),
  template: (daemon) => daemon.call("createTemplateInstances", { body: [{ name: "web", timeout_s: -1 }] }),
  "checkpoint without a wait": async (daemon) => {
    await daemon.call("createCheckpointInstances", { body: [{ from: { name: "web" }, name: "again" }] });
    const find = async () =>
      (await daemon.call("getCheckpointInstances", { body: [{ name: "again" }] })).data.instances[0];
    await until("it is made or given up", async () => (await find()).state !== "starting");
  },
  rewind: (daemon) =>
    daemon.call("VM.Rewind", { rewinds: ["web", "db"].map((id) => ({ id, checkpoint: `${id}-kept` })) }),
};

/** Two that run, each with a checkpoint of it. */
async function prepare(host: SimulatedHost): Promise<void> {
  const daemon = await startDaemon(host);
  for (const name of ["web", "db"]) {
    const { id } = await daemon.call("VM.Run", { image: "hello", name, wait_s: 20, args: ["serve"] });
    host.world.remember(id, name);
  }
  await daemon.call("VM.Checkpoint", { ids: ["web", "db"], suffix: "kept" });
  await daemon.close();
}

async function assertWhole(host: SimulatedHost, daemon: SimulatedDaemon): Promise<void> {
  await daemon.recovered;
  await until("everything comes to rest", () =>
    daemon.registry.all().every(({ status }) => status.state === "running" || status.state === "stopped"),
  );
  const all = daemon.registry.all();
  const templates = (await daemon.call("getTemplateInstances")).data.instances;
  for (const name of ["web", "db"]) {
    const found = all.find((record) => record.name === name);
    if (found === undefined) assert.equal(templates[0]?.name, name, `${name} is lost`);
    else {
      assert.equal(found.status.state, "running", found.status.exitReason ?? name);
      assert.equal(host.world.recall(found.id), name);
    }
  }
  for (const { name, status } of all.filter(({ status: { state } }) => state === "stopped")) {
    assert.ok(status.origin?.entered === false, `${name} lost its memory`);
    await daemon.call("VM.Start", { id: name });
  }
  assert.ok(host.world.processes.every(({ paused }) => !paused));
  await assertNothingLeaks(host, daemon);
}

async function assertNothingLeaks(host: SimulatedHost, daemon: SimulatedDaemon): Promise<void> {
  const templates = (await daemon.call("getTemplateInstances")).data.instances;
  const checkpoints = (await daemon.call("getCheckpointInstances")).data.instances;
  for (const { name } of templates) await daemon.call("deleteTemplateInstances", { body: [{ name }] });
  for (const { name } of checkpoints) await daemon.call("deleteCheckpointInstances", { body: [{ name }] });
  for (const { name } of daemon.registry.all()) await daemon.call("VM.Remove", { id: name, force: true });
  const { snapshots, layers } = directoriesBelow(host.directory);
  await until("nothing is kept", () => readdirSync(snapshots).length + readdirSync(layers).length === 0);
  assert.equal(host.network.attached.size + host.world.processes.length, 0);
}

for (const [name, operate] of Object.entries(operations)) {
  test(`killed at each step of a branch, a checkpoint, a template or a rewind, nothing is lost and nothing leaks: ${name}`, async () => {
    let over = false;
    for (let step = 1; !over; step += 1) {
      await withHost(async (host) => {
        await prepare(host);
        const diesAt = { steps: Number.POSITIVE_INFINITY };
        const daemon = await startDaemon(host, { diesAt });
        await daemon.recovered;
        diesAt.steps = step;
        const done = operate(daemon).catch(() => {});
        await Promise.race([done, until("it dies", daemon.isDead)]);
        over = !daemon.isDead();
        await daemon.kill();
        const next = await startDaemon(host);
        try {
          await assertWhole(host, next);
        } finally {
          await next.close();
        }
      });
    }
  });
}

/** They hold what they held, or boot anew where their machine has died; nothing is left once they are removed. */
async function assertMended(host: SimulatedHost, daemon: SimulatedDaemon): Promise<void> {
  await until("everything comes to rest", () =>
    daemon.registry.all().every(({ status }) => status.state === "running" || status.state === "stopped"),
  );
  const templates = (await daemon.call("getTemplateInstances")).data.instances;
  for (const name of ["web", "db"]) {
    const found = daemon.registry.all().find((record) => record.name === name);
    if (found === undefined) {
      assert.equal(templates[0]?.name, name, `${name} is lost`);
      const clone = await daemon.call("VM.Run", { template: name, name: "clone", wait_s: 20 });
      assert.equal(host.world.recall(clone.id), name);
    } else if (found.status.state === "running") assert.equal(host.world.recall(found.id), name);
  }
  for (const { id } of daemon.registry.all().filter(({ status }) => status.state === "stopped")) {
    await daemon.call("VM.Start", { id });
    await until("it runs again", () => daemon.registry.get(id).status.state === "running");
  }
  assert.ok(host.world.processes.every(({ paused }) => !paused));
  await assertNothingLeaks(host, daemon);
}

for (const [name, operate] of Object.entries(operations)) {
  test(`a machine that dies at any step of a branch, a checkpoint, a template or a rewind takes nothing along: ${name}`, async () => {
    let over = false;
    for (let step = 1; !over; step += 1) {
      await withHost(async (host) => {
        await prepare(host);
        let left = Number.POSITIVE_INFINITY;
        let web = "";
        const onStep = () => {
          left -= 1;
          if (left === 0 && host.world.processes.some(({ spec }) => spec.id === web))
            void host.world.endVmm(web);
        };
        const daemon = await startDaemon(host, { onStep });
        try {
          await daemon.recovered;
          web = (await daemon.call("VM.Get", { id: "web" })).id;
          left = step;
          await operate(daemon).catch(({ message }) => assert.doesNotMatch(message, /internal/i));
          over = left > 0;
          left = Number.POSITIVE_INFINITY;
          await assertMended(host, daemon);
        } finally {
          await daemon.close();
        }
      });
    }
  });
}

for (const step of ["capture", "take", "publish"] as const) {
  test(`a disk that is full at '${step}' fails branch, checkpoint and template, which leave all as it was`, async () => {
    await withHost(async (host) => {
      await prepare(host);
      const daemon = await startDaemon(host);
      try {
        await daemon.recovered;
        const refusals = { branch: "no_space", checkpoint: "no_space", template: undefined };
        for (const [name, code] of Object.entries(refusals)) {
          const before = daemon.registry.all().map(({ id }) => id);
          daemon.failNextCapture(step, new UniError("no_space", "write a snapshot: the disk is full"));
          const operation = operations[name]?.(daemon);
          if (code !== undefined) await assert.rejects(operation ?? Promise.resolve(), { code });
          else {
            const made = (await operation) as { data: { instances: { code: string }[] } };
            assert.equal(made.data.instances[0]?.code, "no_space");
          }
          assert.deepEqual(
            daemon.registry.all().map(({ id }) => id),
            before,
          );
          assert.ok(host.world.processes.every(({ paused }) => !paused));
        }
        await operations["checkpoint"]?.(daemon);
        await assertMended(host, daemon);
      } finally {
        await daemon.close();
      }
    });
  });
}
