/**
 * Frames that no honest guest sends, put straight into its TAP: none reaches anybody, and none changes what the host knows. The
 * host is as credulous as one can be made.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { attachmentFor, published, testNetwork } from "../../../../test/kit/network/attachments.ts";
import * as frames from "../../../../test/kit/network/frames.ts";
import { hostileFrames } from "../../../../test/kit/network/hostile-frames.ts";
import { ip, type Station, startGuest, startOutside } from "../../../../test/kit/network/station.ts";
import { hearAt, hearHost, type Listener, type Sender, sendAt } from "../../../../test/kit/network/wire.ts";
import { enterOwnNamespaces } from "../../../../test/kit/own-namespaces.ts";
import { until } from "../../../../test/kit/until.ts";
import { writeNetSetting } from "../host/device-settings.ts";
import { gatewayAddress, gatewayMac } from "./names.ts";
import type { Attachment, Network } from "./port.ts";

enterOwnNamespaces();

const host = "198.51.100.1";
const far = "198.51.100.2";
const metadata = "169.254.169.254";
const port = 7000;
const closedPort = 7001;

let network: Network;
let other: Network;
/** `mallory` is of an account of its own; `carol` another daemon's; `dora` sleeps. */
const attachments = {} as Record<"alice" | "adam" | "carol" | "dora" | "mallory", Attachment>;
const stations: Station[] = [];
const listeners = new Map<string, Listener>();
let sender: Sender;

before(async () => {
  for (const setting of ["accept_redirects", "accept_source_route", "secure_redirects"]) {
    for (const device of ["all", "default"]) {
      await writeNetSetting(`ipv4/conf/${device}/${setting}`, setting === "secure_redirects" ? "0" : "1");
    }
  }
  const outside = await startOutside("outside", far, host);
  outside.run("ip", "address", "add", `${metadata}/32`, "dev", "eth0");
  ip(`route add ${metadata}/32 via ${far}`);
  // Its own link-local address would come up in the middle of it.
  await writeNetSetting("ipv6/conf/up-outside/disable_ipv6", "1");
  await outside.answer("outside", port);
  stations.push(outside);
  network = await testNetwork("one1");
  other = await testNetwork("two2");
  for (const name of ["alice", "adam", "carol", "dora", "mallory"] as const) {
    const of = name === "carol" ? other : network;
    const ports = name === "alice" ? [published(8000, closedPort, { protocol: "udp" })] : [];
    attachments[name] = attachmentFor(of, name === "mallory" ? "b" : "a", name, ports);
    await of.attach(attachments[name]);
    stations.push(await startGuest(name, { ...attachments[name], gateway: gatewayAddress }));
  }
  stations.at(-1)?.run("ip", "link", "set", "eth0", "mtu", "65000");
  await network.sleep({ ...attachments.dora, asleep: "paused" });
  for (const name of ["alice", "adam", "carol", "dora", "outside"])
    listeners.set(name, await hearAt(name, "eth0"));
  listeners.set("the waker", await hearAt(undefined, "uone1-waker"));
  listeners.set("the host", await hearHost());
  sender = sendAt("mallory", "eth0");
});

after(async () => {
  for (const end of [sender, ...listeners.values(), ...stations]) await end.end();
});

const say = async (to: string, text: string): Promise<void> => {
  const socket = createSocket("udp4");
  socket.send(text, port, to);
  socket.on("error", () => {}); // Nobody need listen there.
  await new Promise((resolve) => setTimeout(resolve, 0));
  socket.close();
};

/** Each listener hears this: whatever was sent before has arrived where it does. */
async function sayToAll(text: string): Promise<void> {
  const { mallory, alice, carol, dora } = attachments;
  const own = { from: mallory.address, protocol: 17 };
  await sender.send(
    frames.ethernet(
      { from: mallory.mac, to: gatewayMac, type: 0x0800 },
      frames.ipv4({ ...own, to: far }, frames.udp(port, port, Buffer.from(text))),
    ),
  );
  const hearers = { alice, carol, "the waker": dora };
  for (const [name, { address }] of Object.entries(hearers)) {
    await until(`${name} hears "${text}"`, async () => {
      await say(address, text);
      return listeners.get(name)?.heard(text);
    });
  }
  await until("the outside hears it", () => listeners.get("outside")?.heard(text));
  await until("the host hears it", async () => {
    await say("127.0.0.1", text);
    return listeners.get("the host")?.heard(text);
  });
}

/** All that a packet could change of the host's: addresses, routes, and who is behind which device. */
function knowledge(): string[] {
  const list = (...args: readonly string[]) => execFileSync("ip", args, { encoding: "utf8" }).split("\n");
  return [
    ...list("address"),
    ...["-4", "-6"].flatMap((family) => list(family, "route", "show", "table", "all")),
    ...["-4", "-6"].flatMap((family) => list(family, "route", "show", "cache")),
    ...list("neighbour", "show", "nud", "all"),
  ]
    .map((line) => line.replace(/ (REACHABLE|STALE|DELAY|PROBE|expires.*|valid_lft.*)/, ""))
    .sort();
}

test("what a hostile card sends reaches nobody, and the host knows afterwards what it knew before", async () => {
  await sayToAll("before it");
  const known = knowledge();
  const tried: string[] = [];
  const { mallory, alice, dora, carol } = attachments;
  const others = [dora.address, carol.address];
  const all = hostileFrames({ mallory, alice, others, host, far, metadata, port }, (what) => {
    if (!tried.includes(what)) tried.push(what);
    return Buffer.from(`hostile ${tried.indexOf(what)} `);
  });
  for (const [what, sent] of Object.entries(all)) {
    for (const frame of sent)
      assert.equal(await sender.send(frame), "sent", `${what}: ${frame.toString("hex").slice(0, 200)}`);
  }
  await sayToAll("after it");
  const reached = [...listeners].flatMap(([name, listener]) =>
    tried.filter((_, index) => listener.heard(`hostile ${index} `)).map((what) => `${what}: ${name}`),
  );
  assert.deepEqual(reached, []);
  const knows = knowledge();
  const isNew = (line: string) => !known.includes(line);
  assert.deepEqual(
    { learnt: knows.filter(isNew), forgot: known.filter((line) => !knows.includes(line)) },
    { learnt: [], forgot: [] },
  );
  assert.equal(execFileSync("ip", ["route", "get", far], { encoding: "utf8" }).includes("via"), false);
});

const isIcmp = (frame: Buffer) => frame.readUInt16BE(12) === 0x0800 && frame[23] === 1;

/** Port unreachable, and a packet too big for a link of 552 bytes, about a datagram from one to another. */
const errorsAbout = (from: string, to: string, datagram: Buffer): readonly Buffer[] =>
  [
    [3, "00000000"],
    [4, "00000228"],
  ].map(([code, rest]) =>
    frames.icmp(
      3,
      Number(code),
      frames.bytesOf(String(rest)),
      frames.ipv4({ from, to, protocol: 17 }, datagram),
    ),
  );

test("errors about connections that are none of the sender's reach nobody: neither guests nor the host", async (t) => {
  const { alice, adam, mallory } = attachments;
  // Alice speaks with the outside and with Adam, the host with the outside: all of it is tracked.
  const card = sendAt("alice", "eth0");
  for (const [to, from] of [
    [far, 5001],
    [adam.address, 5002],
  ] as const) {
    const datagram = frames.udp(from, port, Buffer.from(`tracked ${from}`));
    const packet = frames.ipv4({ from: alice.address, to, protocol: 17 }, datagram);
    await card.send(frames.ethernet({ from: alice.mac, to: gatewayMac, type: 0x0800 }, packet));
  }
  await card.end();
  await until("the outside hears it", () => listeners.get("outside")?.heard("tracked 5001"));
  await until("Adam hears it", () => listeners.get("adam")?.heard("tracked 5002"));
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  const refusals: Error[] = [];
  socket.on("error", (error) => void refusals.push(error));
  socket.bind(5003, host);
  await once(socket, "listening");
  socket.connect(port, far);
  await once(socket, "connect");
  socket.send("tracked 5003");
  await until("the outside hears it", () => listeners.get("outside")?.heard("tracked 5003"));
  const quoted = (localPort: number) => frames.udp(localPort, port, Buffer.from(`quoted ${localPort}`));
  const attacks = [
    ...errorsAbout(host, far, quoted(5001)).map((error) => [host, error] as const),
    ...errorsAbout(alice.address, adam.address, quoted(5002)).map((error) => [alice.address, error] as const),
    ...errorsAbout(host, far, quoted(5003)).map((error) => [host, error] as const),
  ];
  for (const [to, error] of attacks) {
    const packet = frames.ipv4({ from: mallory.address, to, protocol: 1 }, error);
    const frame = frames.ethernet({ from: mallory.mac, to: gatewayMac, type: 0x0800 }, packet);
    assert.equal(await sender.send(frame), "sent");
  }
  await sayToAll("after the errors");
  const reached = [...listeners].flatMap(([name, listener]) =>
    [5001, 5002, 5003]
      .filter((quote) => listener.heard(`quoted ${quote}`))
      .map((quote) => `${quote}: ${name}`),
  );
  assert.deepEqual(reached, []);
  assert.equal(/mtu/.test(execFileSync("ip", ["route", "get", far], { encoding: "utf8" })), false);
  assert.deepEqual(refusals, []);
});

test("errors about a guest's own connections get through", async (t) => {
  const outside = stations.find(({ name }) => name === "outside");
  const isRefusal = (frame: Buffer) => isIcmp(frame) && frame[34] === 3 && frame[35] === 3;
  await until("Alice's refusal arrives outside", async () => {
    await outside?.ask({ protocol: "udp", address: host, port: 8000, deadlineMs: 200 });
    return listeners.get("outside")?.heard("", isRefusal);
  });
  const adam = stations.find(({ name }) => name === "adam");
  await until("Alice's refusal arrives at her sibling", async () => {
    await adam?.ask({
      protocol: "udp",
      address: attachments.alice.address,
      port: closedPort,
      deadlineMs: 200,
    });
    return listeners.get("adam")?.heard("", isRefusal);
  });
  const refused: Error[] = [];
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  socket.on("error", (error) => void refused.push(error));
  socket.connect(closedPort, attachments.alice.address);
  await once(socket, "connect");
  await until("the host hears of it as well", () => {
    socket.send("nobody there");
    return refused.length > 0;
  });
});
