/** What a clone shares with its source and with its siblings: its memory, and nothing of who it is. One test per item. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createGuestConnector } from "../../packages/daemon/src/guest/connector.ts";
import type { GuestBecoming, GuestChannel } from "../../packages/daemon/src/guest/port.ts";
import type { MachineSpec } from "../../packages/daemon/src/vmm/port.ts";
import { machinesForFile } from "../kit/qemu-machines.ts";
import { collect, configOf, exec } from "../kit/test-agent.ts";
import { until } from "../kit/until.ts";

const daysMs = 10 * 86_400_000;
const signal = AbortSignal.timeout(240_000);
const { machines, vmm } = await machinesForFile();
/** The host's clock goes on for days between the capture and the clones. */
let ahead = 0;
const clock = { ...systemClock, now: () => systemClock.now() + ahead };
const connector = createGuestConnector({ clock, log: silentLog });

/** It waits until a connection with itself, by its address, ends. */
const program = `
  nc -l -p 9000 -e sleep 100000 &
  sleep 1; nc 10.98.0.2 9000; echo the connection ended`;

async function shell(channel: GuestChannel, line: string): Promise<string> {
  const { stdout, stderr } = await exec(channel, ["sh", "-c", line]);
  return (stdout + stderr).trim();
}

async function factsOf(channel: GuestChannel) {
  return {
    nonce: await shell(channel, "cat /dev/shm/nonce"),
    hostname: await shell(channel, "hostname; cat /etc/hostname"),
    hosts: await shell(channel, "cat /etc/hosts"),
    machineId: await shell(channel, "cat /etc/machine-id"),
    bootId: await shell(channel, "cat /proc/sys/kernel/random/boot_id"),
    nestedProc: await shell(channel, "unshare -U -r -m -p -f --mount-proc sh -c 'echo $$'"),
    mac: await shell(channel, "cat /sys/class/net/eth0/address"),
    addresses: await shell(channel, "ip -4 addr show dev eth0"),
    routes: await shell(channel, "ip route"),
    neighbours: await shell(channel, "cat /proc/net/arp"),
    connections: await shell(channel, "cat /proc/net/tcp"),
    random: await shell(channel, "cat /proc/sys/kernel/random/uuid"),
    wallS: Number(await shell(channel, "date +%s")),
    instance: await shell(channel, "cat /uk/libukp/instance"),
  };
}

const source = await machines.newSpec();
// The gateway answers for itself, so that the guest knows its MAC address.
for (const args of [
  ["address", "add", "169.254.1.1/32", "dev", source.network.tap],
  ["route", "add", "10.98.0.2/32", "dev", source.network.tap],
]) {
  execFileSync("ip", args);
}
const gatewayMac = readFileSync(`/sys/class/net/${source.network.tap}/address`, "utf8").trim();
const original = await vmm.start(source, signal);
machines.keep(original);
let channel = await connector.connect(original.agentSocket, { logOffset: 0, signal });
await channel.configure(configOf(["sh", "-c", program]));
const nonce = `${Math.random()}`;
await shell(channel, `echo ${nonce} >/dev/shm/nonce; touch /etc/machine-id`);
await shell(channel, "ping -c 1 -W 5 169.254.1.1");
await until("the program is connected", async () =>
  / 0200620A:\w+ 0200620A:2328 0[15] /.test(await shell(channel, "cat /proc/net/tcp")),
);
const before = await factsOf(channel);
const directory = join(dirname(source.directory), "captured");
const { disk, nextDisk } = await machines.prepareNext(source);
const capture = await original.capture({ directory, disk, nextDisk }, signal);
await original.pause();
await capture.take(signal);
await capture.publish(signal);
await channel.close();
await original.kill();
ahead = daysMs;

function becoming(spec: MachineSpec, number: number): GuestBecoming {
  return {
    kind: "branch",
    instance: { id: spec.id, name: `copy${number}` },
    hostname: `copy${number}`,
    network: { address: `10.98.0.1${number}`, gateway: "169.254.1.1", nameservers: [] },
    mac: spec.network.mac,
    machineId: `${number}`.repeat(32),
    roms: [],
  };
}

async function clone(number: number) {
  const spec = await machines.cloneSpec(disk);
  const machine = await vmm.resume(spec, directory, signal);
  machines.keep(machine);
  await machine.resume();
  channel = await connector.connect(machine.agentSocket, { logOffset: "anew", signal });
  await channel.become(becoming(spec, number));
  const seen = collect(channel);
  const facts = await factsOf(channel);
  await until("the program's connection has ended", () =>
    seen.output("stdout").includes("the connection ended"),
  );
  await channel.close();
  await machine.kill();
  return { spec, facts };
}

const [one, two] = [await clone(1), await clone(2)];
const all = [before, one.facts, two.facts];
const differ = (of: (facts: typeof before) => string) => {
  const values = all.map(of);
  assert.deepEqual(values, [...new Set(values)]);
};

test("the memory is the source's: this was a resume", () => {
  assert.deepEqual(
    all.map((facts) => facts.nonce),
    [nonce, nonce, nonce],
  );
});

test("host name, and the line of it in /etc/hosts", () => {
  assert.equal(one.facts.hostname, "copy1\ncopy1");
  assert.match(one.facts.hosts, /\n10\.98\.0\.11\tcopy1$/);
  assert.doesNotMatch(one.facts.hosts, /web/);
});

test("machine-id", () => {
  assert.equal(one.facts.machineId, "1".repeat(32));
  assert.equal(two.facts.machineId, "2".repeat(32));
});

test("boot id", () => {
  for (const { bootId } of all) assert.match(bootId, /^\w{8}-\w{4}-4\w{3}-[89ab]\w{3}-\w{12}$/);
  differ(({ bootId }) => bootId);
});

test("a user namespace may still mount a procfs of its own", () => {
  assert.deepEqual(
    all.map((facts) => facts.nestedProc),
    ["1", "1", "1"],
  );
});

test("MAC address", () => {
  assert.equal(before.mac, source.network.mac);
  assert.equal(one.facts.mac, one.spec.network.mac);
  differ(({ mac }) => mac);
});

test("address and route", () => {
  assert.match(one.facts.addresses, /inet 10\.98\.0\.11\/32/);
  assert.doesNotMatch(one.facts.addresses, /10\.98\.0\.2\//);
  assert.match(one.facts.routes, /default via 169\.254\.1\.1 dev eth0/);
});

test("what was known of neighbours is forgotten", () => {
  assert.ok(before.neighbours.includes(gatewayMac));
  assert.ok(!one.facts.neighbours.includes(gatewayMac));
});

test("connections of the address that is gone have ended, for the program too", () => {
  assert.match(before.connections, /0200620A:/);
  assert.doesNotMatch(one.facts.connections, /0200620A:/);
});

test("random numbers", () => differ(({ random }) => random));

test("the clock is the host's", () => {
  assert.ok(one.facts.wallS - before.wallS >= daysMs / 1000);
});

test("the instance that programs read", () => {
  assert.equal(one.facts.instance, `UUID=${one.spec.id}\nNAME=copy1`);
});
