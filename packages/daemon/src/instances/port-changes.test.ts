import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { ExposedPort } from "@uni/contract/resources/port-mapping";
import { wishedPorts } from "./port-changes.ts";
import { recordOf } from "./test-records.ts";
import { id, running, withInstance } from "./test-world.ts";

const port = (host_port: number, guest_port: number, more: Partial<ExposedPort> = {}) => ({
  host_port,
  guest_port,
  ...more,
});
const record = recordOf(1, {
  name: "web",
  request: {
    ports: [port(8080, 80), port(8081, 80, { host_address: "127.0.0.1" }), port(53, 53, { protocol: "udp" })],
  },
});
const change = (op: InstanceUpdate["op"], value?: readonly ExposedPort[]) =>
  wishedPorts(record, { prop: "ports", op, ...(value === undefined ? {} : { value }) }).map(
    ({ hostAddress, hostPort, guestPort, protocol }) =>
      `${hostAddress}:${hostPort ?? "any"}->${guestPort}/${protocol}`,
  );
const before = ["0.0.0.0:8080->80/tcp", "127.0.0.1:8081->80/tcp", "0.0.0.0:53->53/udp"];

test("add keeps what is there, and asks again for nothing of it", () => {
  assert.deepEqual(change("add", [port(9000, 90)]), [...before, "0.0.0.0:9000->90/tcp"]);
  assert.deepEqual(change("add", [{ guest_port: 90 }]), [...before, "0.0.0.0:any->90/tcp"]);
  assert.deepEqual(change("add", [{ guest_port: 80 }, port(8080, 80)]), before);
  assert.deepEqual(change("add", [{ guest_port: 53 }]), [...before, "0.0.0.0:any->53/tcp"]);
});

test("what is there for the loopback alone is not there for all", () => {
  const loopback = { host_address: "127.0.0.1" };
  assert.deepEqual(change("add", [port(8081, 80)]), [...before, "0.0.0.0:8081->80/tcp"]);
  assert.deepEqual(change("add", [{ guest_port: 80, ...loopback }]), before);
});

test("del takes what fits, all without a value, and refuses what is not there", () => {
  assert.deepEqual(change("del", [{ guest_port: 80 }]), before.slice(2));
  assert.deepEqual(change("del", [port(8081, 80)]), [before[0], before[2]]);
  assert.deepEqual(change("del", [{ guest_port: 53, protocol: "udp" }]), before.slice(0, 2));
  assert.deepEqual(change("del"), []);
  for (const missing of [{ guest_port: 81 }, { guest_port: 53 }, port(8082, 80)]) {
    assert.throws(() => change("del", [{ guest_port: 80 }, missing]), { code: "not_found" });
  }
});

test("set replaces, and the limit holds", () => {
  assert.deepEqual(change("set", [{ guest_port: 80 }]), [before[0]]);
  assert.deepEqual(change("set", []), []);
  const many = Array.from({ length: 62 }, (_, index) => port(10_000 + index, 1));
  assert.throws(() => change("add", many), { code: "too_many" });
});

test("a change comes behind what is under way, and holds for what comes after", async () => {
  await withInstance({}, async (world) => {
    const { owners, registry } = world;
    await running(world);
    const stopping = owners.of(id).stop({ force: true, graceMs: 0 });
    const changed = owners.of(id).update({ prop: "ports", op: "add", value: [port(8080, 80)] });
    const starting = stopping.then(() => owners.of(id).start());
    await changed;
    await starting;
    const { calls } = world.world;
    assert.ok(calls.indexOf("publish") > calls.indexOf("end"), calls.join());
    assert.deepEqual(
      registry.get(id).spec.ports.map(({ hostPort }) => hostPort),
      [8080],
    );
  });
});
