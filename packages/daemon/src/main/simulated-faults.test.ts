/** Daemons that die in the middle of a branch, a checkpoint, a template or a rewind, and those that come after. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { until } from "../../../../test/kit/until.ts";
import { directoriesBelow } from "../operations/directories.ts";
import { type SimulatedDaemon, type SimulatedHost, startDaemon, withHost } from "./simulated-node.ts";

const operations: Readonly<Record<string, (daemon: SimulatedDaemon) => Promise<unknown>>> = {
  branch: (daemon) => daemon.call("VM.Branch", { ids: ["web", "db"], suffix: "copy" }),
  checkpoint: (daemon) => daemon.call("VM.Checkpoint", { ids: ["web", "db"], suffix: "again" }),
  template: (daemon) => daemon.call("createTemplateInstances", { body: [{ name: "web" }] }),
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
