/** Sleepers, with namespaces in the place of machines: who asks one is held, and answered when it is awake. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { assertNoLeaks, hostState } from "../../../../test/kit/leaks.ts";
import { attachmentFor, published, testNetwork } from "../../../../test/kit/network/attachments.ts";
import { ask, type Question } from "../../../../test/kit/network/conversation.ts";
import { ip, type Station, startGuest, startOutside } from "../../../../test/kit/network/station.ts";
import { enterOwnNamespaces } from "../../../../test/kit/own-namespaces.ts";
import { until } from "../../../../test/kit/until.ts";
import { writeNetSetting } from "../host/device-settings.ts";
import { findProcesses } from "../host/find-process.ts";
import { gatewayAddress } from "./names.ts";
import type { Attachment, Network, WakeOrigin } from "./port.ts";

enterOwnNamespaces();

const hostAddress = "198.51.100.1";
const outsideAddress = "198.51.100.2";
const virgin = hostState();
const port = 7000;
const echoPort = 7200;

let network: Network;
let outside: Station;
let alice: Attachment;
let adam: Attachment;
let bob: Attachment;
let stations: Record<"alice" | "adam" | "bob", Station>;

/** What was reported, and not yet taken by `nextWake`. */
const reports: (WakeOrigin & { readonly address: string })[] = [];
const listen = (to: Network) => to.onWake((address, origin) => reports.push({ address, ...origin }));

before(async () => {
  // As strict as a host can be: its larger value counts for the waker's device too.
  await writeNetSetting("ipv4/conf/all/rp_filter", "1");
  outside = await startOutside("outside", outsideAddress, hostAddress);
  await outside.answer("outside", port);
  network = await testNetwork("one1");
  alice = attachmentFor(network, "a", "alice", [
    published(8000, port),
    published(8000, port, { protocol: "udp" }),
    published(8001, port, { hostAddress: "127.0.0.1" }),
    published(8003, echoPort),
  ]);
  adam = attachmentFor(network, "a", "adam");
  bob = attachmentFor(network, "b", "bob");
  const start = async (name: string, attachment: Attachment) => {
    await network.attach(attachment);
    const station = await startGuest(name, { ...attachment, gateway: gatewayAddress });
    await station.answer(name, port);
    return station;
  };
  stations = {
    alice: await start("alice", alice),
    adam: await start("adam", adam),
    bob: await start("bob", bob),
  };
  listen(network);
});

after(async () => {
  for (const station of [...Object.values(stations), outside]) await station.end();
});

const sleep = (attachment: Attachment) => network.sleep({ ...attachment, asleep: "paused" });

const to = (address: string, more: Partial<Question> = {}): Question => ({
  protocol: "tcp",
  address,
  port,
  ...more,
});

/** Waits for a report, and checks that it is the only one. */
async function nextWake(): Promise<(typeof reports)[number]> {
  await until("no packet was reported", () => reports.length > 0);
  const [report, ...more] = reports.splice(0);
  assert.deepEqual(more, []);
  assert.ok(report);
  return report;
}

/** SYNs that were sent again are what must not be needed: each costs its sender a second. */
function retransmitted(station?: Station): number {
  const read =
    station?.run("cat", "/proc/net/snmp") ?? execFileSync("cat", ["/proc/net/snmp"], { encoding: "utf8" });
  const [names = [], values = []] = read
    .split("\n")
    .filter((line) => line.startsWith("Tcp:"))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("RetransSegs")]);
}

/** A program in a guest, whose output is piped. */
const inside = (name: string, ...args: readonly string[]) =>
  spawn("nsenter", [`--net=/run/netns/${name}`, "--", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });

async function ended(child: ReturnType<typeof inside>): Promise<void> {
  const exit = child.exitCode === null ? once(child, "exit") : undefined;
  child.kill("SIGKILL");
  await exit;
}

const printDatagrams = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (text) => process.stdout.write(text)).bind(7100)`;

async function connectedTo(address: string, toPort: number): Promise<Socket | undefined> {
  const socket = connect(toPort, address);
  return once(socket, "connect").then(
    () => socket,
    () => undefined,
  );
}

const wakers = (daemon: string) => findProcesses(`--device=u${daemon}-waker`);

interface Way {
  readonly ask: () => Promise<string>;
  readonly expect: RegExp;
  readonly origin: Partial<WakeOrigin>;
  readonly from?: () => Station;
}

const ways: Readonly<Record<string, Way>> = {
  "the host, TCP": {
    ask: () => ask(to(alice.address)),
    expect: /^alice 169\.254\.1\.1$/,
    origin: { kind: "tcp", source: gatewayAddress },
  },
  "the host, UDP": {
    ask: () => ask(to(alice.address, { protocol: "udp" })),
    expect: /^alice 169\.254\.1\.1$/,
    origin: { kind: "udp", source: gatewayAddress },
  },
  "the host's loopback, through a published port": {
    ask: () => ask(to("127.0.0.1", { port: 8001 })),
    expect: /^alice 169\.254\.1\.1$/,
    origin: { kind: "tcp" },
  },
  "the outside, through a published port": {
    ask: () => outside.ask(to(hostAddress, { port: 8000 })),
    expect: /^alice 198\.51\.100\.2$/,
    origin: { kind: "tcp", source: outsideAddress },
    from: () => outside,
  },
  "the outside, through a published UDP port": {
    ask: () => outside.ask(to(hostAddress, { port: 8000, protocol: "udp" })),
    expect: /^alice 198\.51\.100\.2$/,
    origin: { kind: "udp", source: outsideAddress },
  },
  "an instance of the account": {
    ask: () => stations.adam.ask(to(alice.address)),
    get expect() {
      return new RegExp(`^alice ${adam.address}$`);
    },
    origin: { kind: "tcp" },
    from: () => stations.adam,
  },
  "another account's instance, through a published port": {
    ask: () => stations.bob.ask(to(gatewayAddress, { port: 8000 })),
    expect: /^alice 169\.254\.1\.1$/,
    origin: { kind: "tcp" },
    from: () => stations.bob,
  },
};

for (const [name, way] of Object.entries(ways)) {
  test(`wakes, and loses nothing: ${name}`, async () => {
    await sleep(alice);
    const before = retransmitted(way.from?.());
    const answer = way.ask();
    const { address, kind, source } = await nextWake();
    assert.equal(address, alice.address);
    assert.deepEqual({ kind, source }, { kind, source, ...way.origin });
    await network.wake(alice);
    assert.match(await answer, way.expect);
    // With a wrong checksum, or refused by filter or tracking, the first packet would have been lost.
    assert.equal(retransmitted(way.from?.()), before);
    assert.deepEqual(reports, []);
    assert.match(await way.ask(), way.expect);
  });
}

test("a ping wakes, and is answered", async () => {
  await sleep(alice);
  const ping = outside.ask(to(hostAddress, { port: 8000 }));
  await nextWake();
  await network.wake(alice);
  await ping;
  await sleep(adam);
  const answered = runInBackground("busybox", ["ping", "-c", "1", "-W", "10", adam.address]);
  assert.equal((await nextWake()).kind, "icmp");
  await network.wake(adam);
  assert.equal(await answered, 0);
});

async function runInBackground(command: string, args: readonly string[]): Promise<number> {
  const [code] = await once(spawn(command, args, { stdio: "ignore" }), "exit");
  return code;
}

test("another account's instance does not wake it", async () => {
  await sleep(alice);
  assert.equal(await stations.bob.ask(to(alice.address, { deadlineMs: 400 })), "!silence");
  assert.deepEqual(reports, []);
  assert.equal((await network.wakeStats()).held, 0);
  await network.wake(alice);
});

test("packets come out in the order they came, and are reported once", async (t) => {
  const sent = Array.from({ length: 40 }, (_, n) => `${n}\n`);
  const server = inside("alice", process.execPath, "-e", printDatagrams);
  t.after(() => ended(server));
  const bound = `:${(7100).toString(16).toUpperCase()} `;
  await until("it listens", () => stations.alice.run("cat", "/proc/net/udp").includes(bound));
  let received = "";
  server.stdout.on("data", (chunk: Buffer) => {
    received += chunk.toString();
  });
  await sleep(alice);
  const sender = createSocket("udp4");
  t.after(() => sender.close());
  sender.connect(7100, alice.address);
  await once(sender, "connect");
  for (const text of sent) sender.send(text);
  await until("all packets are held", async () => (await network.wakeStats()).held === sent.length);
  await nextWake();
  await network.wake(alice);
  await until("all packets arrived", () => received.length >= sent.join("").length);
  assert.equal(received, sent.join(""));
});

test("a connection that was open stays open, tracked and translated, and its next byte wakes", async (t) => {
  const server = inside("alice", "busybox", "nc", "-l", "-p", `${echoPort}`, "-e", "cat");
  t.after(() => ended(server));
  const socket = await until("the echo is there", () => connectedTo("127.0.0.1", 8003));
  const say = async (text: string) => {
    socket.write(text);
    const [chunk] = await once(socket, "data");
    assert.equal(chunk.toString(), text);
  };
  await say("one");
  await sleep(alice);
  const answered = say("two");
  await nextWake();
  await network.wake(alice);
  await answered;
  await say("three");
  socket.destroy();
});

test("what it sends while it falls asleep still goes out, and the answer wakes it", async () => {
  await writeNetSetting("ipv4/conf/all/rp_filter", "0");
  await sleep(alice);
  const answer = stations.alice.ask(to(outsideAddress));
  assert.equal((await nextWake()).source, outsideAddress);
  await network.wake(alice);
  assert.equal(await answer, `outside ${hostAddress}`);
  await writeNetSetting("ipv4/conf/all/rp_filter", "1");
});

test("a flood for one sleeper is bounded, and others are still held", async () => {
  await sleep(alice);
  await sleep(adam);
  const sender = createSocket("udp4");
  sender.bind();
  await once(sender, "listening");
  const { dropped } = await network.wakeStats();
  for (let n = 0; n < 1000; n++) sender.send("flood", port, alice.address);
  await until("nothing was dropped", async () => (await network.wakeStats()).dropped > dropped + 100);
  assert.ok((await network.wakeStats()).held <= 64);
  await nextWake();
  const answer = ask(to(adam.address));
  assert.equal((await nextWake()).address, adam.address);
  await network.wake(adam);
  assert.match(await answer, /^adam /);
  await network.wake(alice);
  sender.close();
});

test("nobody's address is refused at once, also while others sleep", async () => {
  await sleep(alice);
  const nobody = attachmentFor(network, "a", "nobody").address;
  const before = retransmitted();
  assert.equal(await ask(to(nobody)), "!ECONNREFUSED");
  assert.equal(await ask(to(nobody, { protocol: "udp" })), "!ECONNREFUSED");
  assert.equal(await stations.adam.ask(to(nobody)), "!EHOSTUNREACH");
  assert.equal(retransmitted(), before);
  assert.deepEqual(reports, []);
  await network.wake(alice);
});

test("from disk: the TAP goes and comes, first without a route", async () => {
  const { bob: station } = stations;
  await network.sleep({ ...bob, asleep: "paused" });
  await station.end();
  await network.sleep({ ...bob, asleep: "disk" });
  assert.equal(await network.traffic(bob.tap), undefined);
  const answer = ask(to(bob.address));
  await nextWake();
  await network.prepareWake(bob);
  assert.notEqual(await network.traffic(bob.tap), undefined);
  assert.equal((await network.wakeStats()).held, 1);
  stations.bob = await startGuest("bob", { ...bob, gateway: gatewayAddress });
  await stations.bob.answer("bob", port);
  await network.wake(bob);
  assert.equal(await answer, `bob ${gatewayAddress}`);
  assert.deepEqual(await network.reconcile([alice, adam, bob]), []);
});

test("reconciling tells who sleeps, from nothing and from too much", async () => {
  const right = hostState();
  const asleep = { ...alice, asleep: "paused" } as const;
  assert.deepEqual(await network.reconcile([asleep, adam, bob]), [
    "instance alice sleeps, and its route was there",
  ]);
  assert.deepEqual(await network.reconcile([asleep, adam, bob]), []);
  const answer = ask(to(alice.address));
  await nextWake();
  assert.deepEqual(await network.reconcile([alice, adam, bob]), [
    `route to ${alice.address} of instance alice was missing`,
  ]);
  assert.match(await answer, /^alice /);
  assertNoLeaks(right, hostState());
});

test("what is held while no daemon runs is reported to the next one", async () => {
  await sleep(alice);
  const answer = ask(to(alice.address));
  await nextWake();
  const next = await testNetwork("one1", network.pool);
  const end = listen(next);
  assert.equal((await nextWake()).address, alice.address);
  assert.deepEqual(await next.reconcile([{ ...alice, asleep: "paused" }, adam, bob]), []);
  await next.wake(alice);
  assert.match(await answer, /^alice /);
  end();
  await network.reconcile([alice, adam, bob]);
});

for (const [name, harm] of Object.entries({
  killed: (pid: number) => process.kill(pid, "SIGKILL"),
  "robbed of its device": () => ip("link delete dev uone1-waker"),
})) {
  test(`a waker that was ${name} is started again, and knows who sleeps`, async () => {
    await sleep(alice);
    const [waker] = wakers("one1");
    assert.ok(waker);
    harm(waker.pid);
    await until("another one runs", () => wakers("one1").some(({ pid }) => pid !== waker.pid));
    const answer = ask(to(alice.address));
    assert.equal((await nextWake()).address, alice.address);
    await network.wake(alice);
    assert.match(await answer, /^alice /);
    assert.deepEqual(await network.reconcile([alice, adam, bob]), []);
  });
}

test("a waker without privileges: nobody's, no capabilities, few system calls", async () => {
  const [waker] = wakers("one1");
  const status = readFileSync(`/proc/${waker?.pid}/status`, "utf8");
  assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
  assert.match(status, /^CapPrm:\t0+$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^Seccomp:\t2$/m);
});

test("two daemons side by side, and what is removed leaves the other", async () => {
  const other = await testNetwork("two2");
  const carol = attachmentFor(other, "a", "carol", [published(8100, port)]);
  await other.attach(carol);
  await other.sleep({ ...carol, asleep: "disk" });
  listen(other);
  await sleep(alice);
  // A guest of this daemon cannot wake the other's, but through a published port.
  assert.equal(await stations.adam.ask(to(carol.address, { deadlineMs: 400 })), "!silence");
  assert.deepEqual(reports, []);
  await other.remove();
  const answer = ask(to(alice.address));
  assert.equal((await nextWake()).address, alice.address);
  await network.wake(alice);
  assert.match(await answer, /^alice /);
});

test("removing leaves nothing, even with a sleeper", async () => {
  await sleep(alice);
  for (const station of [...Object.values(stations), outside]) await station.end();
  stations = {} as typeof stations;
  await network.remove();
  assertNoLeaks(virgin, hostState());
});
