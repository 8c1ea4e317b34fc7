import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { until } from "../../../../test/kit/until.ts";
import { directoriesBelow } from "../operations/directories.ts";
import { limits, type SimulatedDaemon, type SimulatedHost, startDaemon, withHost } from "./simulated-node.ts";

/** What must hold whenever nothing is under way. */
function assertTruth({ world, network }: SimulatedHost, { registry }: SimulatedDaemon): void {
  const live = registry.all().filter(({ status }) => status.state !== "stopped");
  for (const { name, status } of live)
    assert.ok(["starting", "running"].includes(status.state), `${name} is ${status.state}`);
  const ids = live.map(({ id }) => id).sort();
  assert.deepEqual(
    world.processes.map(({ spec }) => spec.id).sort(),
    ids,
    "machines are those of live instances",
  );
  assert.deepEqual(
    [...network.attached.values()].map(({ instanceId }) => instanceId).sort(),
    ids,
    "and attachments",
  );
}

async function settled(host: SimulatedHost, daemon: SimulatedDaemon): Promise<void> {
  await daemon.recovered;
  await until("everything comes to rest", () => {
    const states = daemon.registry.all().map(({ status }) => status.state);
    return states.every((state) => state === "stopped" || state === "running");
  });
  await until("the host is as the records say", () => {
    assertTruth(host, daemon);
    return true;
  });
}

const run = (daemon: SimulatedDaemon, name: string, more: object = {}) =>
  daemon.call("VM.Run", { image: "hello", name, wait_s: 20, args: ["serve"], ...more });
const stateOf = async (daemon: SimulatedDaemon, id: string) => (await daemon.call("VM.Get", { id })).state;

function assertEmpty({ directory, world, network }: SimulatedHost): void {
  assert.deepEqual(world.processes, []);
  assert.equal(network.attached.size, 0);
  const { instances, machines } = directoriesBelow(directory);
  assert.deepEqual([readdirSync(instances), readdirSync(machines)], [[], []]);
}

test("the life of an instance through the socket", async () => {
  await withHost(async (host) => {
    const daemon = await startDaemon(host);
    assert.equal((await run(daemon, "web")).state, "running");
    assert.match((await daemon.call("VM.Logs", { id: "web" })).logs, /serve is up/);
    const [stats] = await daemon.call("VM.Stats", { id: "web" });
    assert.deepEqual([stats.name, stats.source, stats.processes], ["web", "guest", 2]);
    await assert.rejects(run(daemon, "web"), /the name is taken/);
    await assert.rejects(run(daemon, "other", { image: "nothing", pull_policy: "never" }), /no such image/);
    assert.equal((await daemon.call("VM.Stop", { id: "web" })).state, "stopped");
    assert.equal((await daemon.call("VM.Inspect", { id: "web" })).exit_code, 143);
    await daemon.call("VM.Start", { id: "web" });
    await daemon.call("VM.Restart", { id: "web" });
    await settled(host, daemon);
    await daemon.call("VM.Signal", { id: "web", signal: "SIGKILL" });
    const { exit_code } = await daemon.call("VM.Wait", { id: "web" });
    assert.equal(exit_code, 137);
    await daemon.call("VM.Remove", { id: "web" });
    assert.deepEqual(await daemon.call("VM.List"), []);
    assertEmpty(host);
    await daemon.close();
  });
});

test("a program that ends at once is no failed start, and delete-on-stop leaves its exit code", async () => {
  await withHost(async (host) => {
    const daemon = await startDaemon(host);
    const { id } = await run(daemon, "job", { args: ["exit", "3"], auto_remove: true });
    assert.equal((await daemon.call("VM.Wait", { id })).exit_code, 3);
    await until("it deletes itself", () => daemon.registry.all().length === 0);
    assertEmpty(host);
    await daemon.close();
  });
});

for (const end of ["close", "kill"] as const) {
  test(`after ${end} the next daemon finds what runs, and hears what ended meanwhile`, async () => {
    await withHost(async (host) => {
      const first = await startDaemon(host);
      const names = ["stays", "ends", "dies", "rests"];
      const made = await Promise.all(names.map((name) => run(first, name)));
      await first.call("VM.Stop", { id: "rests" });
      const [stays, ends, dies] = made.map(({ id }) => id);
      await first[end]();
      await host.guests.end(ends, 5);
      await host.world.endVmm(dies);
      await host.network.remove();
      const next = await startDaemon(host);
      await until("the ended are known", async () => (await stateOf(next, "ends")) === "stopped");
      await settled(host, next);
      const seen = Object.fromEntries(next.registry.all().map(({ name, status }) => [name, status]));
      assert.deepEqual(
        names.map((name) => seen[name]?.state),
        ["running", "stopped", "stopped", "stopped"],
      );
      assert.deepEqual([seen["ends"]?.exitCode, seen["rests"]?.exitCode], [5, 143]);
      assert.match(seen["dies"]?.exitReason ?? "", /monitor ended/);
      assert.match(
        (await next.call("VM.Logs", { id: stays })).logs,
        /^serve is up\n$/,
        "no line is told twice",
      );
      for (const name of names) await next.call("VM.Remove", { id: name, force: true });
      assertEmpty(host);
      await next.close();
    });
  });
}

test("machines and files that belong to no instance are removed by the next daemon", async () => {
  await withHost(async (host) => {
    const first = await startDaemon(host);
    const { id } = await run(first, "lost");
    await first.kill();
    const between = await startDaemon(host);
    await between.recovered;
    await between.registry.remove(id, 1);
    await between.kill();
    assert.equal(host.world.processes.length, 1);
    const next = await startDaemon(host);
    await settled(host, next);
    assertEmpty(host);
    await next.close();
  });
});

test("two hundred creates at once all run, none lost, and all go", async () => {
  await withHost(async (host) => {
    const daemon = await startDaemon(host);
    const names = Array.from({ length: 200 }, (_, index) => `vm-${index}`);
    const made = await Promise.all(names.map((name) => run(daemon, name)));
    assert.equal(new Set(made.map(({ ip }) => ip)).size, 200);
    assert.deepEqual(new Set(made.map(({ state }) => state)), new Set(["running"]));
    assertTruth(host, daemon);
    await Promise.all(names.map((id) => daemon.call("VM.Remove", { id, force: true })));
    assertEmpty(host);
    await daemon.close();
  });
});

test("two hundred creates with the daemon killed again and again: what it answered stays, nothing leaks", async () => {
  await withHost(async (host) => {
    const answered: string[] = [];
    let daemon = await startDaemon(host);
    for (const changesUntilKill of [1, 40, 150, 400, 900]) {
      const killed = Promise.withResolvers<void>();
      let changes = 0;
      const current = daemon;
      current.registry.onChange(() => {
        changes += 1;
        if (changes === changesUntilKill) current.kill().then(killed.resolve, killed.reject);
      });
      const creates = Array.from({ length: 40 }, async (_, index) => {
        const { id } = await run(
          current,
          `vm-${changesUntilKill}-${index}`,
          index % 4 === 0 ? { args: ["exit", "1"], restart: { policy: "always" } } : {},
        );
        answered.push(id);
      });
      // Once all are up the rest of the changes are stops and starts.
      void Promise.allSettled(creates).then(async () => {
        for (let round = 0; changes < changesUntilKill; round++) {
          await current
            .call("VM.Restart", { id: `vm-${changesUntilKill}-${1 + (round % 3)}` })
            .catch(() => {});
        }
      });
      await killed.promise;
      await Promise.allSettled(creates);
      daemon = await startDaemon(host);
      await daemon.recovered;
    }
    const known = new Set<string>(daemon.registry.all().map(({ id }) => id));
    assert.deepEqual(
      answered.filter((id) => !known.has(id)),
      [],
      "an instance that was answered is lost",
    );
    await Promise.all([...known].map((id) => daemon.call("VM.Stop", { id, force: true })));
    await settled(host, daemon);
    await Promise.all([...known].map((id) => daemon.call("VM.Remove", { id, force: true })));
    assertEmpty(host);
    await daemon.close();
  });
});

test("creates that race for the last room: some run, the others leave nothing", async () => {
  await withHost(async (host) => {
    const daemon = await startDaemon(host, { nodeLimits: { ...limits, liveVcpus: 4 } });
    const asked = Array.from({ length: 8 }, (_, index) =>
      run(daemon, `web-${index}`, { delete_lock: index % 2 === 0 }),
    );
    const answers = await Promise.allSettled(asked);
    const refused = answers.filter(({ status }) => status === "rejected");
    for (const { reason } of refused as PromiseRejectedResult[]) assert.match(String(reason), /quota/);
    assert.deepEqual([refused.length, daemon.registry.all().length], [4, 4]);
    await settled(host, daemon);
    await daemon.close();
  });
});

test("an update to what the node does not allow is refused at once, running or not", async () => {
  await withHost(async (host) => {
    const daemon = await startDaemon(host);
    const { id } = await run(daemon, "web");
    for (const [prop, value] of [
      ["memory_mb", limits.maxMemoryMb + 1],
      ["memory_mb", limits.minMemoryMb - 1],
      ["vcpus", limits.maxVcpus + 1],
    ] as const) {
      const updates = [{ prop, op: "set", value }];
      await assert.rejects(daemon.call("VM.Update", { id, updates }), /give an instance/, `${prop} ${value}`);
    }
    const updates = [{ prop: "memory_mb", op: "set", value: limits.maxMemoryMb }];
    assert.equal((await daemon.call("VM.Update", { id, updates })).updates.length, 1);
    await daemon.close();
  });
});
