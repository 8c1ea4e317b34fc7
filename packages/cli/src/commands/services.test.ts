import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { Script } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const group = {
  uuid: "11111111-1111-4111-8111-111111111111",
  name: "shop",
  created_at: "2026-01-31T12:00:00.000Z",
  persistent: true,
  autoscale: false,
  soft_limit: 5,
  hard_limit: 10,
  services: [
    { port: 443, destination_port: 8080, handlers: ["http", "tls"] },
    { port: 80, destination_port: 443, handlers: ["http", "redirect"] },
  ],
  domains: [{ fqdn: "shop.uni.localhost" }],
  instances: [{ uuid: "22222222-2222-4222-8222-222222222222", name: "web" }],
};

const answer = (items: readonly object[]) => ({
  status: "success",
  data: { service_groups: items },
  op_time_us: 1,
});
const one: Script = {
  getServiceGroups: () => answer([group]),
  createServiceGroup: () => answer([{ status: "success", ...group }]),
  updateServiceGroups: () => answer([{ status: "success", uuid: group.uuid, name: group.name }]),
  deleteServiceGroups: () => answer([{ status: "success", uuid: group.uuid, name: group.name }]),
};

test("services are listed, and shown one by one", async () => {
  const list = await talk(one, ["services", "ls"]);
  assert.match(list.stdout, /^NAME +DOMAINS +PORTS +INSTANCES +CREATED\n/);
  assert.match(list.stdout, /shop +shop\.uni\.localhost +443:8080\/http\+tls 80:443\/http\+redirect +1 /);
  assert.equal((await talk(one, ["services", "ls", "-q"])).stdout, "shop\n");
  const shown = await talk(one, ["services", "get", "shop"]);
  assert.match(shown.stdout, /limits +soft 5, hard 10\ninstances +web\n/);
  assert.deepEqual(shown.calls[0]?.params, { name: ["shop"] });
});

test("create sends what was given, and says where the group is reached", async () => {
  const args = ["services", "create", "shop", "-p", "443:8080", "--domain", "shop", "--soft-limit", "5"];
  const { code, stdout, stderr, calls } = await talk(one, [...args, "--autokill", "10m"]);
  assert.deepEqual([code, stdout, stderr], [0, "shop\n", "It is reached as shop.uni.localhost.\n"]);
  assert.deepEqual(calls[0]?.params, {
    body: {
      name: "shop",
      services: [
        { port: 443, destination_port: 8080, handlers: ["http", "tls"] },
        { port: 80, destination_port: 443, handlers: ["http", "redirect"] },
      ],
      domains: [{ name: "shop" }],
      soft_limit: 5,
      autokill: { time_ms: 600_000 },
    },
  });
  assert.equal((await talk(one, ["services", "create", "shop"])).code, 64);
  assert.equal((await talk(one, ["services", "create", "shop", "-p", "8080:80"])).code, 64);
});

test("update names the group in every change, and does nothing without one", async () => {
  const args = ["services", "update", "shop", "--domain", "a", "--rm-domain", "b", "--rm-port", "80"];
  const { code, calls } = await talk(one, args);
  assert.equal(code, 0);
  assert.deepEqual(calls[0]?.params["body"], [
    { name: "shop", prop: "services", op: "del", value: [{ port: 80 }] },
    { name: "shop", prop: "domains", op: "add", value: [{ name: "a" }] },
    { name: "shop", prop: "domains", op: "del", value: [{ name: "b" }] },
  ]);
  assert.equal((await talk(one, ["services", "update", "shop"])).code, 64);
});

test("a refusal has the daemon's words and their status", async () => {
  const refused: Script = {
    deleteServiceGroups: () => {
      throw new UniError("in_use", "Service group 'shop' has 1 instance(s)");
    },
  };
  const { code, stderr } = await talk(refused, ["services", "rm", "shop"]);
  assert.deepEqual([code, stderr], [69, "Error: Service group 'shop' has 1 instance(s)\n"]);
  assert.equal((await talk(one, ["services", "rm", "shop"])).stdout, "shop\n");
});

test("run puts the instance into a new group or into a named one", async () => {
  const running: Script = { "VM.Run": () => fakeVm() };
  const inGroup = async (...args: string[]) => {
    const { calls } = await talk(running, ["run", ...args, "hello"]);
    return calls[0]?.params["service_group"];
  };
  assert.deepEqual(await inGroup("--service", "shop"), { name: "shop" });
  assert.deepEqual(
    await inGroup("-p", "443:80/tls+http", "-p", "8080:80", "--domain", "x", "--hard-limit", "9"),
    {
      services: [{ port: 443, destination_port: 80, handlers: ["tls", "http"] }],
      domains: [{ name: "x" }],
      hard_limit: 9,
    },
  );
  assert.equal(await inGroup("-p", "8080:80"), undefined);
  for (const wrong of [
    ["--domain", "x"],
    ["--service", "shop", "-p", "443:80"],
    ["--service", "shop", "--soft-limit", "2"],
  ]) {
    assert.equal((await talk(running, ["run", ...wrong, "hello"])).code, 64, wrong.join(" "));
  }
});
