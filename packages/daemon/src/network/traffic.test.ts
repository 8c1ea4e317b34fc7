/** What gets through and what does not, with namespaces in the place of machines. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { attachmentFor, published, testNetwork } from "../../../../test/kit/network/attachments.ts";
import { answer, ask, type Question } from "../../../../test/kit/network/conversation.ts";
import { ip, type Station, startGuest, startOutside } from "../../../../test/kit/network/station.ts";
import { enterOwnNamespaces } from "../../../../test/kit/own-namespaces.ts";
import { writeNetSetting } from "../host/device-settings.ts";
import { nftJson } from "../host/network-commands.ts";
import { gatewayAddress, gatewayMac } from "./names.ts";
import type { Attachment, Network } from "./port.ts";

enterOwnNamespaces();

const hostAddress = "198.51.100.1";
const outsideAddress = "198.51.100.2";
const metadata = "169.254.169.254";
const port = 7000;

let network: Network;
let other: Network;
let outside: Station;
let endHost: () => void;
/** `alice` and `adam` are of one account, `bob` is of another; `carol` is another daemon's. */
const guests = {} as Record<GuestName, Station>;
const attachments = {} as Record<GuestName, Attachment>;
type GuestName = "alice" | "adam" | "bob" | "carol";

before(async () => {
  outside = await startOutside("outside", outsideAddress, hostAddress);
  outside.run("ip", "address", "add", `${metadata}/32`, "dev", "eth0");
  ip(`route add ${metadata}/32 via ${outsideAddress}`);
  network = await testNetwork("one1");
  other = await testNetwork("two2");
  const both = { hostAddress: "127.0.0.1" };
  attachments.alice = attachmentFor(network, "a", "alice", [
    published(8000, port),
    published(8000, port, { protocol: "udp" }),
    published(8001, port, both),
    published(8002, port, { hostAddress }),
  ]);
  attachments.adam = attachmentFor(network, "a", "adam");
  attachments.bob = attachmentFor(network, "b", "bob");
  attachments.carol = attachmentFor(other, "a", "carol", [published(8100, port)]);
  for (const name of ["alice", "adam", "bob", "carol"] as const) {
    const attachment = attachments[name];
    await (name === "carol" ? other : network).attach(attachment);
    guests[name] = await startGuest(name, { ...attachment, gateway: gatewayAddress });
    await guests[name].answer(name, port);
  }
  await outside.answer("outside", port);
  endHost = await answer("host", port);
});

after(async () => {
  endHost();
  for (const station of [...Object.values(guests), outside]) await station.end();
});

const to = (address: string, more: Partial<Question> = {}): Question => ({
  protocol: "tcp",
  address,
  port,
  ...more,
});

/** Short, as the silence has to be waited for; whoever is asked is known to answer others. */
const refused = { deadlineMs: 400 };

/** Packets that a rule has dropped, found by the beginning of its note. */
async function dropped(network: "one1" | "two2", note: string): Promise<number> {
  const items = (await nftJson(["list", "table", "inet", `uni_${network}`])) as readonly {
    rule?: { comment: string; expr: readonly { counter?: { packets: number } }[] };
  }[];
  const rule = items.find((item) => item.rule?.comment.startsWith(note))?.rule;
  const counter = rule?.expr.find((expression) => expression.counter !== undefined)?.counter;
  assert.ok(counter, `no counting rule "${note}"`);
  return counter.packets;
}

test("the host reaches a guest, which sees the gateway", async () => {
  for (const name of ["alice", "bob", "carol"] as const) {
    assert.equal(await ask(to(attachments[name].address)), `${name} ${gatewayAddress}`);
  }
  assert.equal(await ask(to(attachments.alice.address, { protocol: "udp" })), `alice ${gatewayAddress}`);
});

test("a guest reaches the outside with the host's address", async () => {
  for (const protocol of ["tcp", "udp"] as const) {
    assert.equal(await guests.alice.ask(to(outsideAddress, { protocol })), `outside ${hostAddress}`);
  }
});

test("the outside does not reach a guest's own address", async () => {
  outside.run("ip", "route", "add", network.pool, "via", hostAddress);
  const before = await dropped("one1", "not published");
  assert.equal(await outside.ask(to(attachments.alice.address, refused)), "!silence");
  assert.ok((await dropped("one1", "not published")) > before);
});

test("a guest pings its gateway, and reaches no service of the host", async () => {
  guests.alice.run("busybox", "ping", "-c", "1", "-W", "10", gatewayAddress);
  const before = await dropped("one1", "host services");
  assert.equal(await ask(to(hostAddress)), `host ${hostAddress}`);
  for (const address of [gatewayAddress, hostAddress]) {
    assert.equal(await guests.alice.ask(to(address, refused)), "!silence");
  }
  assert.ok((await dropped("one1", "host services")) > before);
});

test("a guest does not reach the host's loopback, though its TAP lets the host's own packets out", async () => {
  const { alice } = guests;
  alice.run("ip", "route", "delete", "local", "127.0.0.0/8", "dev", "lo", "table", "local");
  alice.run("ip", "route", "delete", "local", "127.0.0.1", "dev", "lo", "table", "local");
  alice.run("ip", "route", "add", "127.0.0.0/8", "via", gatewayAddress, "dev", "eth0");
  alice.run("sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1");
  const before = await dropped("one1", "host loopback");
  const from = attachments.alice.address;
  assert.equal(await alice.ask(to("127.0.0.1", { from, ...refused })), "!silence");
  assert.equal(await alice.ask(to("127.0.0.1", { from, port: 8001, ...refused })), "!silence");
  assert.ok((await dropped("one1", "host loopback")) > before);
});

test("guests of one account reach each other by their own addresses", async () => {
  assert.equal(await guests.adam.ask(to(attachments.alice.address)), `alice ${attachments.adam.address}`);
  assert.equal(await guests.alice.ask(to(attachments.adam.address)), `adam ${attachments.alice.address}`);
});

test("guests of different accounts do not", async () => {
  const before = await dropped("one1", "other account");
  assert.equal(await guests.bob.ask(to(attachments.alice.address, refused)), "!silence");
  assert.equal(await guests.alice.ask(to(attachments.bob.address, refused)), "!silence");
  assert.ok((await dropped("one1", "other account")) > before);
});

test("guests of different daemons do not, even of accounts with one name", async () => {
  // Both tables refuse it, one as the sender's and one as the receiver's; which comes first is not ours to say.
  const refusals = async () =>
    (await dropped("one1", "other daemon")) +
    (await dropped("one1", "not published")) +
    (await dropped("two2", "other daemon")) +
    (await dropped("two2", "not published"));
  for (const [from, about] of [
    ["alice", "carol"],
    ["carol", "alice"],
  ] as const) {
    const before = await refusals();
    assert.equal(await guests[from].ask(to(attachments[about].address, refused)), "!silence");
    assert.ok((await refusals()) > before);
  }
});

test("a guest does not reach link-local addresses beyond the host, where clouds keep secrets", async () => {
  assert.equal(await ask(to(metadata)), `outside ${hostAddress}`);
  const before = await dropped("one1", "link-local");
  assert.equal(await guests.alice.ask(to(metadata, refused)), "!silence");
  assert.ok((await dropped("one1", "link-local")) > before);
});

test("a published port is reached from everywhere", async () => {
  for (const protocol of ["tcp", "udp"] as const) {
    const question = { protocol, port: 8000 };
    assert.equal(await ask(to("127.0.0.1", question)), `alice ${gatewayAddress}`);
    assert.match(await ask(to(hostAddress, question)), /^alice /);
    assert.equal(await outside.ask(to(hostAddress, question)), `alice ${outsideAddress}`);
    assert.equal(await guests.adam.ask(to(hostAddress, question)), `alice ${gatewayAddress}`);
    assert.equal(await guests.bob.ask(to(gatewayAddress, question)), `alice ${gatewayAddress}`);
    assert.equal(await guests.alice.ask(to(hostAddress, question)), `alice ${gatewayAddress}`);
    assert.match(await guests.carol.ask(to(hostAddress, question)), /^alice /);
  }
  assert.match(await guests.alice.ask(to(hostAddress, { port: 8100 })), /^carol /);
});

test("a port published on one address is reached at that one only", async () => {
  assert.match(await ask(to("127.0.0.1", { port: 8001 })), /^alice /);
  assert.equal(await ask(to(hostAddress, { port: 8001 })), "!ECONNREFUSED");
  assert.equal(await outside.ask(to(hostAddress, { port: 8001 })), "!ECONNREFUSED");
  assert.equal(await outside.ask(to(hostAddress, { port: 8002 })), `alice ${outsideAddress}`);
  assert.equal(await ask(to("127.0.0.1", { port: 8002 })), "!ECONNREFUSED");
});

test("a neighbour that sends to the host's loopback address does not reach a port published there", async () => {
  outside.run("ip", "route", "delete", "local", "127.0.0.0/8", "dev", "lo", "table", "local");
  outside.run("ip", "route", "delete", "local", "127.0.0.1", "dev", "lo", "table", "local");
  outside.run("ip", "route", "add", "127.0.0.0/8", "via", hostAddress, "dev", "eth0");
  outside.run("sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1");
  const question = { from: outsideAddress, port: 8001, ...refused };
  assert.equal(await outside.ask(to("127.0.0.1", question)), "!silence");
});

test("a guest speaks with its own address only", async () => {
  const { adam } = guests;
  const { alice } = attachments;
  adam.run("ip", "address", "add", `${alice.address}/32`, "dev", "eth0");
  adam.run("ip", "address", "add", "203.0.113.7/32", "dev", "eth0");
  const before = await dropped("one1", "spoofed");
  for (const from of [alice.address, "203.0.113.7"]) {
    assert.equal(await adam.ask(to(outsideAddress, { from, ...refused })), "!silence");
  }
  assert.ok((await dropped("one1", "spoofed")) > before);
  adam.run("ip", "address", "delete", `${alice.address}/32`, "dev", "eth0");
});

test("a guest speaks with its own MAC only", async () => {
  const { adam } = guests;
  const own = attachments.adam.mac;
  adam.run("ip", "link", "set", "eth0", "address", attachments.alice.mac);
  assert.equal(await adam.ask(to(outsideAddress, refused)), "!silence");
  adam.run("ip", "link", "set", "eth0", "address", own);
  adam.run("ip", "route", "replace", gatewayAddress, "dev", "eth0");
  adam.run("ip", "route", "replace", "default", "via", gatewayAddress, "dev", "eth0");
  assert.equal(await adam.ask(to(outsideAddress)), `outside ${hostAddress}`);
});

test("a guest cannot fill the host's neighbour table", async () => {
  const { adam } = guests;
  const { tap } = attachments.adam;
  adam.run("ip", "address", "add", "203.0.113.8/32", "dev", "eth0");
  // Asks for the gateway in the name of another address; the question itself would make an entry.
  assert.throws(() =>
    adam.run("busybox", "arping", "-c", "1", "-w", "1", "-I", "eth0", "-s", "203.0.113.8", gatewayAddress),
  );
  adam.run(
    "busybox",
    "arping",
    "-c",
    "1",
    "-w",
    "10",
    "-I",
    "eth0",
    "-s",
    attachments.adam.address,
    gatewayAddress,
  );
  const entries = execFileSync("ip", ["neighbour", "show", "dev", tap, "nud", "all"], { encoding: "utf8" });
  assert.deepEqual(
    entries
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
    [attachments.adam.address],
  );
});

test("IPv6 from a guest goes nowhere, even if the kernel is told to take it", async () => {
  const { adam } = guests;
  const { tap } = attachments.adam;
  adam.run("ip", "-6", "address", "add", "fd00:1::2/64", "dev", "eth0", "nodad");
  adam.run(
    "ip",
    "-6",
    "neighbour",
    "add",
    "fd00:1::1",
    "lladdr",
    gatewayMac,
    "dev",
    "eth0",
    "nud",
    "permanent",
  );
  const ping = () => adam.run("busybox", "ping", "-6", "-c", "1", "-W", "1", "fd00:1::1");
  assert.throws(ping);
  await writeNetSetting(`ipv6/conf/${tap}/disable_ipv6`, "0");
  ip(`address add fd00:1::1/64 dev ${tap} nodad`);
  const before = await dropped("one1", "spoofed");
  assert.throws(ping);
  assert.ok((await dropped("one1", "spoofed")) > before);
  await writeNetSetting(`ipv6/conf/${tap}/disable_ipv6`, "1");
});

test("traffic is counted from the guest's side", async () => {
  const { tap } = attachments.bob;
  const before = await network.traffic(tap);
  await guests.bob.ask(to(outsideAddress));
  const now = await network.traffic(tap);
  assert.ok(before !== undefined && now !== undefined);
  // More came in than went out, by the answer's few bytes; both had to grow.
  assert.ok(now.txPackets > before.txPackets && now.rxPackets > before.rxPackets);
  assert.equal(await network.traffic("nothing"), undefined);
});

test("a guest that was detached is nowhere, and its address carries nothing over", async () => {
  const { alice } = attachments;
  const flow = { protocol: "udp", port: 8000 } as const;
  assert.equal(await outside.ask(to(hostAddress, flow)), `alice ${outsideAddress}`);
  await guests.alice.end();
  delete (guests as Partial<typeof guests>).alice;
  await network.detach(alice);
  await network.detach(alice);
  assert.equal(await ask(to(alice.address)), "!EHOSTUNREACH");
  assert.equal(await network.traffic(alice.tap), undefined);
  const tracked = execFileSync("conntrack", ["-L"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  assert.deepEqual(
    tracked.split("\n").filter((line) => line.includes(`${alice.address} `)),
    [],
  );
});

test("when one daemon removes all that is its own, the other goes on", async () => {
  await network.remove();
  assert.equal(await ask(to(attachments.carol.address)), `carol ${gatewayAddress}`);
  assert.equal(await guests.carol.ask(to(outsideAddress)), `outside ${hostAddress}`);
  assert.match(await outside.ask(to(hostAddress, { port: 8100 })), /^carol /);
  assert.deepEqual(await other.reconcile([attachments.carol]), []);
});
