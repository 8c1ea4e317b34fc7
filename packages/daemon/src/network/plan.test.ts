import assert from "node:assert/strict";
import { test } from "node:test";
import { asAccountId } from "@uni/contract/ids";
import { type Actual, type Device, wantedSettings, wantedWakerSettings } from "./actual.ts";
import { elementsOf, siblingElements } from "./elements.ts";
import { gatewayMac, macFor, namesOf, tapFor } from "./names.ts";
import { frameOf } from "./nft-listing.ts";
import { planChanges, type Wanted } from "./plan.ts";
import type { Attachment, PublishedPort } from "./port.ts";
import { rulesetOf } from "./ruleset.ts";

const names = namesOf("abcd", { base: 10 * 2 ** 24 + 200 * 2 ** 16, length: 16 });
const tables = rulesetOf(names, []);

const attachmentAt = (
  address: string,
  instanceId: string,
  ports: readonly PublishedPort[] = [],
): Attachment => ({
  instanceId,
  account: asAccountId("a"),
  address,
  tap: tapFor(names, address),
  mac: macFor(names, address),
  uid: 4000,
  ports,
});

const web: PublishedPort = { hostAddress: "0.0.0.0", hostPort: 80, guestPort: 8080, protocol: "tcp" };
const alice = attachmentAt("10.200.0.1", "alice", [web]);
const bob = attachmentAt("10.200.0.2", "bob");
const blocks = new Map([[asAccountId("a"), [0]]]);

const wanted = (attachments: readonly Attachment[], only?: ReadonlySet<string>): Wanted => ({
  attachments,
  blocks,
  tables,
  only,
  waker: attachments.some(({ asleep }) => asleep !== undefined),
});

const deviceOf = ({ tap, uid }: Attachment): Device => ({
  name: tap,
  usable: true,
  owner: uid,
  mac: gatewayMac,
  group: "uni",
  up: true,
  hasGateway: true,
  settings: new Map(Object.entries(wantedSettings)),
});

const hostWith = (...attachments: readonly Attachment[]): Actual => ({
  devices: new Map(attachments.map((attachment) => [attachment.tap, deviceOf(attachment)])),
  routes: attachments.map(({ tap, address }) => ({ device: tap, destination: address })),
  hasPoolRoute: true,
  waker: undefined,
  neighbours: attachments.map(({ tap, address, mac }) => ({ device: tap, address, mac, permanent: true })),
  frames: new Map(tables.map((table) => [table.family, frameOf(table)])),
  elements: [...siblingElements(names, blocks), ...attachments.flatMap(elementsOf)],
});

const untouched: Actual = {
  devices: new Map(),
  routes: [],
  hasPoolRoute: false,
  waker: undefined,
  neighbours: [],
  frames: new Map(),
  elements: [],
};

const nothing = { remove: [], ip: [], nft: [], tune: [], forget: [], differences: [] };

test("a host that is right needs nothing", () => {
  assert.deepEqual(planChanges(names, wanted([alice, bob]), hostWith(alice, bob)), nothing);
});

test("a host that nobody touched gets everything", () => {
  const plan = planChanges(names, wanted([alice]), untouched);
  assert.deepEqual(plan.ip, [
    "route add unreachable 10.200.0.0/16 proto 117 metric 4000000000",
    "tuntap add dev uabcd-0001 mode tap user 4000 vnet_hdr",
    "link set dev uabcd-0001 address 06:75:6e:69:00:01 group 7695977 addrgenmode none up",
    "address add 169.254.1.1/32 dev uabcd-0001",
    "route replace 10.200.0.1/32 dev uabcd-0001 proto 117 src 169.254.1.1",
    "neighbour replace 10.200.0.1 lladdr 02:75:0a:c8:00:01 dev uabcd-0001 nud permanent",
  ]);
  assert.deepEqual(plan.tune, ["uabcd-0001"]);
  assert.ok(plan.nft.includes("add element inet uni_abcd ports { tcp . 80 : 10.200.0.1 . 8080 }"));
  assert.ok(plan.nft.includes("add element inet uni_abcd siblings { 10.200.0.0/22 . 10.200.0.0/22 }"));
});

test("what is not wanted goes, with its connections", () => {
  const plan = planChanges(names, wanted([bob]), hostWith(alice, bob));
  assert.deepEqual(plan.remove, [alice.tap]);
  assert.deepEqual(plan.ip, []);
  assert.deepEqual(plan.forget, [alice.address]);
  assert.ok(plan.nft.every((line) => line.startsWith("delete element ") && line.includes(alice.address)));
  assert.equal(plan.nft.length, 4);
});

test("with a scope, nobody else is touched", () => {
  const host = hostWith(alice);
  assert.deepEqual(planChanges(names, wanted([], new Set()), host), nothing);
  const plan = planChanges(names, wanted([bob], new Set([bob.address])), host);
  assert.deepEqual(plan.remove, []);
  assert.equal(
    [...plan.ip, ...plan.nft].some((line) => line.includes(alice.address)),
    false,
  );
  assert.ok(plan.ip.length > 0 && plan.nft.length > 0);
});

test("tables made anew keep the elements of guests outside the scope", () => {
  const host = { ...hostWith(alice), frames: new Map() };
  const plan = planChanges(names, wanted([bob], new Set([bob.address])), host);
  for (const { address } of [alice, bob]) {
    assert.ok(
      plan.nft.some((line) => line.startsWith("add element inet uni_abcd guests") && line.includes(address)),
    );
  }
});

test("two that claim one port do not make the transaction fail: the first has it", () => {
  const rival = { ...bob, ports: [web] };
  const plan = planChanges(names, wanted([alice, rival]), untouched);
  assert.deepEqual(
    plan.nft.filter((line) => line.startsWith("add element inet uni_abcd ports ")),
    ["add element inet uni_abcd ports { tcp . 80 : 10.200.0.1 . 8080 }"],
  );
  assert.deepEqual(planChanges(names, wanted([alice, rival]), hostWith(alice, bob)), nothing);
});

test("a TAP of another owner is made anew, and only then", () => {
  const other = { ...alice, uid: 4001 };
  const plan = planChanges(names, wanted([other]), hostWith(alice));
  assert.deepEqual(plan.remove, [alice.tap]);
  assert.match(plan.ip[0] ?? "", /^tuntap add dev uabcd-0001 mode tap user 4001/);
});

test("a link that is set again gets its neighbour again", () => {
  const host = hostWith(alice);
  const down = new Map([[alice.tap, { ...deviceOf(alice), up: false }]]);
  const plan = planChanges(names, wanted([alice]), { ...host, devices: down });
  assert.deepEqual(
    plan.ip.map((line) => line.split(" ")[0]),
    ["link", "neighbour"],
  );
});

const waker: Actual["waker"] = {
  usable: true,
  up: true,
  hasGateway: true,
  hasRoute: true,
  settings: new Map(Object.entries(wantedWakerSettings)),
};

test("a sleeper has no route, on disk it has no TAP, and its elements stay", () => {
  const paused = { ...alice, asleep: "paused" } as const;
  const plan = planChanges(names, wanted([paused, bob]), { ...hostWith(alice, bob), waker });
  assert.deepEqual(plan, {
    ...nothing,
    ip: ["route delete 10.200.0.1/32 dev uabcd-0001"],
    differences: ["instance alice sleeps, and its route was there"],
  });
  const onDisk = { ...alice, asleep: "disk" } as const;
  const removal = planChanges(names, wanted([onDisk, bob]), { ...hostWith(alice, bob), waker });
  assert.deepEqual([removal.remove, removal.ip, removal.nft], [[alice.tap], [], []]);
  const gone = { ...hostWith(bob), waker, elements: hostWith(alice, bob).elements };
  assert.deepEqual(planChanges(names, wanted([onDisk, bob]), gone), nothing);
});

test("with a sleeper the whole pool is routed to the waker's device", () => {
  const paused = { ...alice, asleep: "paused" } as const;
  const host = { ...hostWith(alice), routes: [] };
  assert.deepEqual(planChanges(names, wanted([paused]), host).ip, [
    "tuntap add dev uabcd-waker mode tun vnet_hdr",
    "link set dev uabcd-waker group 7695977 addrgenmode none up",
    "address replace 169.254.1.1/32 dev uabcd-waker",
    "route replace 10.200.0.0/16 dev uabcd-waker proto 117 src 169.254.1.1 metric 3000000000",
  ]);
  for (const damage of [{ up: false }, { hasGateway: false }, { hasRoute: false }]) {
    const plan = planChanges(names, wanted([paused]), { ...host, waker: { ...waker, ...damage } });
    assert.equal(plan.ip.length, 3);
    assert.deepEqual(plan.remove, []);
  }
  const foreign = planChanges(names, wanted([paused]), { ...host, waker: { ...waker, usable: false } });
  assert.deepEqual(foreign.remove, ["uabcd-waker"]);
});
