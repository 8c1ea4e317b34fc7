import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { asAccountId } from "@uni/contract/ids";
import type { PublishedPort } from "./port.ts";
import { findListener, publishedBy, refuseTaken } from "./published-ports.ts";

const port = (hostAddress: string, hostPort: number, protocol: "tcp" | "udp" = "tcp"): PublishedPort => ({
  hostAddress,
  hostPort,
  protocol,
  guestPort: 80,
});

const owner = (...ports: PublishedPort[]) => ({
  instanceId: "web",
  account: asAccountId("a"),
  address: "10.200.0.1",
  mac: "",
  tap: "",
  uid: 1,
  ports,
});

test("ports clash on the same address or on all, for the same protocol", () => {
  const cases: readonly (readonly [PublishedPort, PublishedPort, boolean])[] = [
    [port("0.0.0.0", 80), port("0.0.0.0", 80), true],
    [port("127.0.0.1", 80), port("0.0.0.0", 80), true],
    [port("0.0.0.0", 80), port("127.0.0.1", 80), true],
    [port("127.0.0.1", 80), port("127.0.0.1", 80), true],
    [port("127.0.0.1", 80), port("192.0.2.1", 80), false],
    [port("0.0.0.0", 80), port("0.0.0.0", 80, "udp"), false],
    [port("0.0.0.0", 80), port("0.0.0.0", 81), false],
  ];
  for (const [wanted, taken, clash] of cases) {
    const attempt = () => refuseTaken([wanted], [owner(taken)]);
    const isRefusal = (error: unknown) =>
      error instanceof UniError && error.code === "port_in_use" && /instance web has it/.test(error.message);
    if (clash) assert.throws(attempt, isRefusal);
    else attempt();
  }
  assert.throws(() => refuseTaken([port("0.0.0.0", 80), port("127.0.0.1", 80)], []), /asked for twice/);
});

test("a listener is in the way when it would get the same packets", () => {
  const listener = (address: string, protocol: "tcp" | "udp" = "tcp") => [
    { protocol, address, port: 80, inode: "1" },
  ];
  assert.ok(findListener(port("127.0.0.1", 80), listener("0.0.0.0")));
  assert.ok(findListener(port("0.0.0.0", 80), listener("127.0.0.1")));
  assert.ok(findListener(port("127.0.0.1", 80), listener("::")));
  assert.equal(findListener(port("0.0.0.0", 80), listener("fe800000000000000000000000000001")), undefined);
  assert.equal(findListener(port("127.0.0.1", 80), listener("192.0.2.1")), undefined);
  assert.equal(findListener(port("0.0.0.0", 80), listener("0.0.0.0", "udp")), undefined);
});

test("an element says which port it publishes", () => {
  const family = "inet";
  assert.deepEqual(
    publishedBy({ family, set: "ports", key: "tcp . 8080", value: "10.200.0.1 . 80" }),
    port("0.0.0.0", 8080),
  );
  assert.deepEqual(
    publishedBy({ family, set: "ports_at", key: "127.0.0.1 . udp . 8080", value: "10.200.0.1 . 80" }),
    port("127.0.0.1", 8080, "udp"),
  );
  assert.equal(publishedBy({ family, set: "guests", key: '"u" . 02:75 . 10.200.0.1' }), undefined);
});
