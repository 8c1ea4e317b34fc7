/** Damage of every kind, on a real kernel: reconciling finds it, says it, repairs it, and then has nothing left to do. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { assertNoLeaks, hostState } from "../../../../test/kit/leaks.ts";
import { attachmentFor, published, testNetwork } from "../../../../test/kit/network/attachments.ts";
import { ask } from "../../../../test/kit/network/conversation.ts";
import { ip, type Station, startGuest } from "../../../../test/kit/network/station.ts";
import { enterOwnNamespaces } from "../../../../test/kit/own-namespaces.ts";
import { nftScript } from "../host/network-commands.ts";
import { gatewayAddress } from "./names.ts";
import type { Attachment, Network } from "./port.ts";

enterOwnNamespaces();

const virgin = hostState();
let network: Network;
let alice: Attachment;
let bob: Attachment;
let station: Station;

before(async () => {
  network = await testNetwork("abcd");
  alice = attachmentFor(network, "a", "alice", [
    published(8000, 7000),
    published(8001, 7001, { hostAddress: "127.0.0.1" }),
  ]);
  bob = attachmentFor(network, "b", "bob", [published(8000, 53, { protocol: "udp" })]);
  await network.reconcile([]);
  await network.attach(alice);
  await network.attach(bob);
  station = await startGuest("alice", { ...alice, gateway: gatewayAddress });
  await station.answer("alice", 7000);
});

after(async () => {
  await station.end();
});

const deviceIndex = (tap: string): string =>
  execFileSync("ip", ["-oneline", "link", "show", tap], { encoding: "utf8" }).split(":")[0] ?? "";

test("what attaching makes is exactly what reconciling wants", async () => {
  assert.deepEqual(await network.reconcile([alice, bob]), []);
});

/** `T` is alice's TAP, `A` her address, `B` bob's. */
const damages: Readonly<
  Record<string, { readonly ip?: string[]; readonly nft?: string; readonly finds: RegExp }>
> = {
  "route gone": { ip: ["route delete A dev T"], finds: /^route to A of instance alice was missing$/ },
  "route led elsewhere": {
    ip: ["route replace B/32 dev T"],
    finds: /^route to B led to T of instance alice$/,
  },
  "neighbour gone": {
    ip: ["neighbour delete A dev T"],
    finds: /^neighbour A of instance alice was missing$/,
  },
  "neighbour changed": {
    ip: ["neighbour replace A lladdr 02:00:00:00:00:01 dev T nud permanent"],
    finds: /^neighbour A/,
  },
  "gateway address gone": {
    ip: [`address delete ${gatewayAddress}/32 dev T`],
    finds: /^gateway address on T/,
  },
  "link down": { ip: ["link set dev T down"], finds: /^link T of instance alice was down or changed$/ },
  "link in another group": { ip: ["link set dev T group 5"], finds: /^link T/ },
  "pool route gone": {
    ip: ["route delete unreachable POOL metric 4000000000"],
    finds: /^the route that ends POOL/,
  },
  "ruleset flushed": { nft: "flush ruleset", finds: /^nftables inet uni_abcd was missing or changed$/ },
  "one table deleted": { nft: "delete table arp uni_abcd", finds: /^nftables arp uni_abcd was missing/ },
  "chain emptied": { nft: "flush chain inet uni_abcd speaker", finds: /^nftables inet uni_abcd/ },
  "rule added": { nft: "insert rule inet uni_abcd input accept", finds: /^nftables inet uni_abcd/ },
  "elements gone": {
    nft: "flush set inet uni_abcd guests",
    finds: /inet guests "T" \. .* \. A was missing$/,
  },
  "siblings gone": { nft: "flush set inet uni_abcd siblings", finds: /inet siblings .* was missing$/ },
  "port led elsewhere": {
    nft: "delete element inet uni_abcd ports { tcp . 8000 : A . 7000 }\nadd element inet uni_abcd ports { tcp . 8000 : B . 7000 }",
    finds: /inet ports tcp \. 8000 : A \. 7000 was missing$/,
  },
  "stray elements": {
    nft: 'add element inet uni_abcd guests { "uabcd-zzzz" . 02:75:00:00:00:09 . 10.9.9.9 }',
    finds: /10\.9\.9\.9 belonged to no instance$/,
  },
  "stray TAP": {
    ip: ["tuntap add dev uabcd-zzzz mode tap"],
    finds: /^TAP uabcd-zzzz belonged to no instance$/,
  },
  "several stray TAPs": {
    ip: ["tuntap add dev uabcd-zzzz mode tap", "tuntap add dev uabcd-zzzy mode tap"],
    finds: /^TAP uabcd-zzzy belonged to no instance$/,
  },
};

const fillIn = (text: string): string =>
  text
    .replaceAll("POOL", network.pool)
    .replaceAll(/\bT\b/g, alice.tap)
    .replaceAll(/\bA\b/g, alice.address)
    .replaceAll(/\bB\b/g, bob.address);

for (const [name, damage] of Object.entries(damages)) {
  test(`repaired while the TAP stays open: ${name}`, async () => {
    const right = hostState();
    const index = deviceIndex(alice.tap);
    if (damage.ip !== undefined) ip(...damage.ip.map(fillIn));
    if (damage.nft !== undefined) await nftScript(`${fillIn(damage.nft)}\n`);
    const finds = new RegExp(fillIn(damage.finds.source));
    const differences = await network.reconcile([alice, bob]);
    assert.ok(
      differences.some((difference) => finds.test(difference)),
      `said: ${differences.join("; ")}`,
    );
    assertNoLeaks(right, hostState());
    assert.deepEqual(await network.reconcile([alice, bob]), []);
    assert.equal(deviceIndex(alice.tap), index);
    assert.equal(await ask({ protocol: "tcp", address: "127.0.0.1", port: 8000 }), `alice ${gatewayAddress}`);
  });
}

test("changed settings of a TAP are found and set again", async () => {
  execFileSync("sysctl", ["-qw", `net.ipv4.conf.${alice.tap}.rp_filter=0`]);
  assert.deepEqual(await network.reconcile([alice, bob]), [
    `settings of ${alice.tap} of instance alice were changed`,
  ]);
  assert.deepEqual(await network.reconcile([alice, bob]), []);
});

test("a TAP that is gone, or of another owner, is made anew", async () => {
  const right = hostState();
  ip(`link delete dev ${bob.tap}`);
  assert.deepEqual(await network.reconcile([alice, bob]), [`TAP ${bob.tap} of instance bob was missing`]);
  assertNoLeaks(right, hostState());
  ip(`link delete dev ${bob.tap}`, `tuntap add dev ${bob.tap} mode tap user 1 vnet_hdr`);
  assert.deepEqual(await network.reconcile([alice, bob]), [
    `TAP ${bob.tap} of instance bob was of the wrong kind or owner`,
  ]);
  assertNoLeaks(right, hostState());
});

test("a new daemon takes over what it finds, and undoes what is no longer wanted", async () => {
  const next = await testNetwork("abcd", network.pool);
  assert.deepEqual(await next.reconcile([alice, bob]), []);
  const differences = await next.reconcile([alice]);
  assert.ok(differences.includes(`TAP ${bob.tap} belonged to no instance`));
  assert.deepEqual(await next.reconcile([alice]), []);
  assert.deepEqual((await network.reconcile([alice, bob])).length, differences.length);
});

test("attaching repairs what is in its way", async () => {
  const carol = attachmentFor(network, "a", "carol", [published(8200, 80)]);
  ip(`tuntap add dev ${carol.tap} mode tap user 1`);
  await network.attach(carol);
  assert.deepEqual(await network.reconcile([alice, bob, carol]), []);
  await nftScript("flush ruleset\n");
  await network.detach(carol);
  assert.deepEqual(await network.reconcile([alice, bob]), []);
});

test("a failed attachment leaves nothing, and the others of its batch are attached", async () => {
  const right = hostState();
  await nftScript(`add element inet uni_abcd ports { tcp . 8300 : ${bob.address} . 1 }\n`);
  const bad = attachmentFor(network, "a", "bad", [published(8300, 80)]);
  const good = attachmentFor(network, "a", "good");
  const [badResult, goodResult] = await Promise.allSettled([network.attach(bad), network.attach(good)]);
  assert.equal(goodResult.status, "fulfilled");
  assert.ok(badResult.status === "rejected" && badResult.reason instanceof UniError);
  assert.match(badResult.reason.message, /attach instance bad at /);
  await network.detach(good);
  await nftScript(`delete element inet uni_abcd ports { tcp . 8300 : ${bob.address} . 1 }\n`);
  assertNoLeaks(right, hostState());
});

test("twenty at once are attached, and detached again", async () => {
  const right = hostState();
  const many = Array.from({ length: 20 }, (_, index) =>
    attachmentFor(network, `account${index % 3}`, `many${index}`, [published(9000 + index, 80)]),
  );
  await Promise.all(many.map((attachment) => network.attach(attachment)));
  assert.deepEqual(await network.reconcile([alice, bob, ...many]), []);
  await Promise.all(many.map((attachment) => network.detach(attachment)));
  assert.deepEqual(await network.reconcile([alice, bob]), []);
  // The accounts keep their blocks.
  const withoutSiblings = (state: string) => state.replaceAll(/elements = \{ [\d./ ]+[^}]*\/22 \}/g, "");
  assertNoLeaks(withoutSiblings(right), withoutSiblings(hostState()));
});

test("what another owner has is left alone: devices with a longer id, rules, tables", async () => {
  ip("tuntap add dev uabcde-0001 mode tap", "tuntap add dev uabcd0001 mode tap");
  await nftScript("add table inet uni_abcde\nadd chain inet uni_abcde input\n");
  const right = hostState();
  assert.deepEqual(await network.reconcile([alice, bob]), []);
  assertNoLeaks(right, hostState());
  ip("link delete dev uabcde-0001", "link delete dev uabcd0001");
  await nftScript("delete table inet uni_abcde\n");
});

const isUniError = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof UniError && error.code === code && words.test(error.message);

test("a taken port is refused with its owner's name", async () => {
  const wanted = [published(8000, 80)];
  await assert.rejects(
    network.checkPorts(wanted, [alice]),
    isUniError("port_in_use", /instance alice has it/),
  );

  const other = await testNetwork("other");
  const dora = attachmentFor(other, "a", "dora", [published(8400, 80)]);
  await other.attach(dora);
  await assert.rejects(
    network.checkPorts([published(8400, 80)], [alice]),
    isUniError("port_in_use", /the Uni daemon with table uni_other publishes it/),
  );
  await network.checkPorts([published(8400, 80, { protocol: "udp" })], [alice]);
  await other.remove();
  await network.checkPorts([published(8400, 80)], [alice]);

  const listener = createServer().listen(8500, "127.0.0.1");
  await once(listener, "listening");
  await assert.rejects(
    network.checkPorts([published(8500, 80)], []),
    isUniError("port_in_use", new RegExp(`\\(pid ${process.pid}\\) listens on it`)),
  );
  listener.close();
  await once(listener, "close");
  await network.checkPorts([published(8500, 80)], []);
});

test("what cannot be published is refused before anything is made", async () => {
  const right = hostState();
  const cases = [
    [published(0, 80), /ports go from 1 to 65535/],
    [published(80, 65536), /ports go from 1 to 65535/],
    [published(80, 80, { hostAddress: "example" }), /no IPv4 address/],
    [published(80, 80, { hostAddress: "203.0.113.200" }), /this host has no address/],
  ] as const;
  for (const [port, words] of cases) {
    await assert.rejects(network.checkPorts([port], []), isUniError("invalid_value", words));
    const bad = attachmentFor(network, "a", "bad", [port]);
    await assert.rejects(network.attach(bad), isUniError("invalid_value", words));
  }
  const wrongName = { ...attachmentFor(network, "a", "bad"), tap: "eth0 down; x" };
  await assert.rejects(network.attach(wrongName), isUniError("invalid_value", /are not this address's/));
  const foreign = { ...attachmentFor(network, "b", "bad"), account: alice.account };
  await assert.rejects(network.attach(foreign), isUniError("invalid_value", /another account/));
  const rival = { ...alice, instanceId: "rival", ports: [] };
  await assert.rejects(network.attach(rival), isUniError("in_use", /instance alice has it/));
  assertNoLeaks(right, hostState());
});

test("the user that the TAP is for may attach to it, another may not", async () => {
  const attach = `
import fcntl, os, struct, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
os.setuid(int(sys.argv[1]))
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22s", sys.argv[2].encode(), 0x5002, b""))`;
  const tryAs = async (uid: number) => {
    const child = spawn("python3", ["-c", attach, String(uid), bob.tap], { stdio: "ignore" });
    const [code] = await once(child, "exit");
    return code;
  };
  assert.equal(await tryAs(4242), 0);
  assert.equal(await tryAs(4243), 1);
});

test("removing leaves the host as it was", async () => {
  await station.end();
  await network.remove();
  assertNoLeaks(virgin, hostState());
  await network.remove();
  assertNoLeaks(virgin, hostState());
});
