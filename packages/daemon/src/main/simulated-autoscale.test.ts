/** Service groups whose members follow their load, on a node of pretended machines, through the socket. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../../test/kit/until.ts";
import { withDaemon } from "./simulated-daemon.ts";
import { limits, type SimulatedDaemon, type SimulatedHost, startDaemon, withHost } from "./simulated-node.ts";

type Group = { uuid: string; size: number; problem?: string };

/** A group whose members are to be clones of a template that has run. */
async function scaling(daemon: SimulatedDaemon, settings: object): Promise<string> {
  await daemon.call("VM.Run", { image: "hello", name: "base", wait_s: 20, args: ["serve"] });
  await daemon.call("createTemplateInstances", { body: [{ name: "base", timeout_s: -1 }] });
  const body = {
    name: "web",
    services: [{ port: 443, destination_port: 8080, handlers: ["http", "tls"] }],
    soft_limit: 2,
  };
  const { data } = await daemon.call("createServiceGroup", { body });
  await set(daemon, settings);
  return data.service_groups[0].uuid;
}

async function set(daemon: SimulatedDaemon, settings: object): Promise<void> {
  const pauses = { warmup_time_ms: 0, cooldown_time_ms: 0 };
  const body = [{ name: "web", template: { name: "base" }, ...pauses, ...settings }];
  const answer = await daemon.call("createAutoscaleConfigurations", { body });
  assert.equal(answer.status, "success", JSON.stringify(answer));
}

async function shown(daemon: SimulatedDaemon): Promise<Group> {
  const answer = await daemon.call("getAutoscaleConfigurations", { name: ["web"] });
  return answer.data.service_groups[0];
}

const running = ({ registry }: SimulatedDaemon) =>
  registry.all().filter(({ spec, status }) => spec.scaledFor !== null && status.state === "running");
const all = ({ registry }: SimulatedDaemon) => registry.all().length;

function load(daemon: SimulatedDaemon, { loads }: SimulatedHost, inFlight: number): void {
  for (const { id } of running(daemon)) loads.set(id, { inFlight, served: 1 });
}

test("a group gets members when all have their fill, and loses them when they are idle", async () => {
  await withDaemon(async (daemon, host) => {
    await scaling(daemon, {
      max_size: 3,
      policies: [
        { name: "now", type: "on_demand", high_watermark: 0.7 },
        { name: "quiet", type: "idle", idle_time_ms: 500 },
      ],
    });
    await until("the least", () => running(daemon).length === 1);
    for (const size of [2, 3]) {
      load(daemon, host, 2);
      await until(`${size} members`, () => running(daemon).length === size);
    }
    assert.equal((await shown(daemon)).size, 3);
    // Two of three are not beyond 0.7 of them.
    assert.deepEqual(host.growths, [[3, 3]]);
    const [group] = (await daemon.call("getServiceGroups", { name: ["web"] })).data.service_groups;
    assert.deepEqual([group.autoscale, group.instances.length], [true, 3]);
    load(daemon, host, 0);
    await until("the least again", () => all(daemon) === 1);
  });
});

test("a group that may be empty has no member until somebody asks for one, and none again when it is idle", async () => {
  await withDaemon(async (daemon, { loads }) => {
    const policies = [{ name: "quiet", type: "idle", idle_time_ms: 100 }];
    const uuid = await scaling(daemon, { min_size: 0, max_size: 2, policies });
    const [group] = (await daemon.call("getAutoscaleConfigurations")).data.service_groups;
    assert.deepEqual([group.min_size, group.size], [0, 0]);
    loads.set(uuid, { inFlight: 1, served: 0 });
    await until("the first member", () => running(daemon).length === 1);
    loads.delete(uuid);
    await until("none again", () => all(daemon) === 0);
  });
});

test("whoever has served its number of requests gets a successor, and goes once that one serves", async () => {
  await withDaemon(async (daemon, { loads }) => {
    await scaling(daemon, {
      max_size: 1,
      policies: [{ name: "worn", type: "create", num_requests: 10, replace: true }],
    });
    await until("a member", () => running(daemon).length === 1);
    const worn = running(daemon)[0]?.id ?? "";
    let served = 0;
    await until("a successor, alone", () => {
      served += 1;
      loads.set(worn, { inFlight: 0, served });
      return all(daemon) === 1 && running(daemon)[0]?.id !== worn;
    });
    assert.equal(running(daemon)[0]?.spec.replaces, worn);
  });
});

test("of a configuration with ROMs each new member has those, beside its template's", async () => {
  await withDaemon(async (daemon, { guests }) => {
    const roms = { name: "code", at: "/code", files: [{ path: "text", data: "x" }] };
    await scaling(daemon, { min_size: 2, create_args: { template: { name: "base" }, roms } });
    await until("two members", () => running(daemon).length === 2);
    for (const { id } of running(daemon)) {
      await until("it has become", () => guests.romsOf(id).length === 1);
      assert.deepEqual(
        guests.romsOf(id).map(({ name, at }) => [name, at]),
        [["code", "/code"]],
      );
    }
    const [group] = (await daemon.call("getAutoscaleConfigurations")).data.service_groups;
    assert.deepEqual(group.roms, ["code"]);
    const missing = { template: { name: "base" }, roms: [{ name: "code", image: "nothing" }] };
    const body = [{ name: "web", create_args: missing }];
    const refused = await daemon.call("createAutoscaleConfigurations", { body });
    assert.equal(refused.data.service_groups[0].code, "image_not_found");
  });
});

test("a deleted configuration takes with it what was made for it, and nothing else", async () => {
  await withDaemon(async (daemon) => {
    const uuid = await scaling(daemon, { min_size: 2, max_size: 4 });
    await daemon.call("VM.Run", { image: "hello", name: "own", args: ["serve"], service_group: { uuid } });
    await until("two are at work", () => running(daemon).length === 1 || running(daemon).length === 2);
    await daemon.call("deleteAutoscaleConfigurations", { body: [{ name: "web" }] });
    await until("the owner's is left", () => all(daemon) === 1);
    const answer = await daemon.call("getAutoscaleConfigurations", { name: ["web"] });
    assert.deepEqual(answer.data.service_groups, [{ status: "success", uuid, name: "web", enabled: false }]);
  });
});

test("a template that is gone is told, and members come again with another one", async () => {
  await withDaemon(async (daemon) => {
    await scaling(daemon, { min_size: 1 });
    await until("a member", () => running(daemon).length === 1);
    await daemon.call("deleteTemplateInstances", { body: [{ name: "base" }] });
    await daemon.call("VM.Remove", { id: running(daemon)[0]?.name, force: true });
    await until("it is told", async () => (await shown(daemon)).problem !== undefined);
    await daemon.call("VM.Run", { image: "hello", name: "base", wait_s: 20, args: ["serve"] });
    await daemon.call("createTemplateInstances", { body: [{ name: "base", timeout_s: -1 }] });
    await set(daemon, {});
    await until("a member", () => running(daemon).length === 1);
    await until("all is well", async () => (await shown(daemon)).problem === undefined);
  });
});

test("no more than the account may have", async () => {
  await withDaemon(
    async (daemon) => {
      await scaling(daemon, { min_size: 5, max_size: 5 });
      await until("it is told", async () => /instances/.test((await shown(daemon)).problem ?? ""));
      // The template counts as one.
      assert.equal(all(daemon), 2);
    },
    { nodeLimits: { ...limits, instances: 3 } },
  );
});

test("killed while it replaces a member, the next daemon has one member, old or new", async () => {
  await withHost(async (host) => {
    const first = await startDaemon(host);
    const policies = [{ name: "worn", type: "create", num_requests: 1, replace: true }];
    await scaling(first, { max_size: 1, policies });
    await until("a member", () => running(first).length === 1);
    await first.kill();
    for (const steps of [5, 10, 20, 30, 40, 60]) {
      const dying = await startDaemon(host, { diesAt: { steps } });
      let served = 0;
      await until("its death", () => {
        served += 2;
        for (const { id } of running(dying)) host.loads.set(id, { inFlight: 0, served });
        return dying.isDead();
      });
      await dying.kill();
    }
    host.loads.clear();
    const last = await startDaemon(host);
    await last.recovered;
    await until("one member", () => all(last) === 1 && running(last).length === 1);
    await last.close();
  });
});

test("killed while it makes or removes members, the next daemon has neither too many nor strangers", async () => {
  await withHost(async (host) => {
    const first = await startDaemon(host);
    await scaling(first, { min_size: 1, max_size: 3 });
    await until("a member", () => running(first).length === 1);
    await first.kill();
    for (const steps of [3, 8, 15, 30, 50]) {
      const dying = await startDaemon(host, { diesAt: { steps } });
      const unlessDead = (what: string, ask: () => boolean) => until(what, () => dying.isDead() || ask());
      const size = steps % 2 === 0 ? 1 : 3;
      const work = dying.recovered.then(() => set(dying, { min_size: size, max_size: size }));
      await Promise.race([unlessDead("its death", () => false), work.catch(() => {})]);
      await unlessDead("the members", () => all(dying) === size && running(dying).length === size);
      await dying.kill();
    }
    const last = await startDaemon(host);
    await set(last, { min_size: 2, max_size: 2 });
    await until("two members", () => all(last) === 2 && running(last).length === 2);
    await last.close();
  });
});
