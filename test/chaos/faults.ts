/** What is done to the world. Each fault leaves it such that everything answers again, and says what may fail meanwhile. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { kill, machinesOf, pidsOf } from "../kit/processes.ts";
import { reached } from "../kit/sleepers.ts";
import { until } from "../kit/until.ts";
import { playBout } from "./copies.ts";
import { crowd } from "./crowd.ts";
import { Family } from "./family.ts";
import { answerOf, putToDisk, type World } from "./world.ts";

export type Fault = (world: World) => Promise<void>;

async function killDaemon({ daemon, random, note }: World): Promise<void> {
  const away = Math.round(random() * 1_500);
  note(`for ${away} ms no daemon runs`);
  await daemon.kill();
  await pause(away);
  await daemon.start();
}

async function killEdge(world: World): Promise<void> {
  await world.excuse(/: edge/, async () => {
    const before = pidsOf("haproxy");
    kill(before);
    await until("the edge is back", () => pidsOf("haproxy").some((pid) => !before.includes(pid)));
    for (const client of world.subject("awake").clients) await answerOf(client);
    // Who began while it was away is told within its own patience.
    await pause(100);
  });
}

/** Its sleepers' packets are lost with it, and come again. */
async function killWaker(): Promise<void> {
  const before = pidsOf("waker");
  kill(before);
  if (before.length > 0)
    await until("the waker is back", () => pidsOf("waker").some((pid) => !before.includes(pid)));
}

/** What it was told and has not done is found by comparing, and done by its successor. */
async function killLinkHelper({ random }: World): Promise<void> {
  for (let round = 0; round < 10; round++) {
    kill(pidsOf("netlink"));
    await pause(random() * 300);
  }
}

/** The restart policy brings it back, with new memory. */
async function killVictim(world: World, tier: "running" | "paused"): Promise<void> {
  const victim = world.subject("victim");
  const speak = await world.mute("victim");
  await world.excuse(/^victim:/, async () => {
    const [direct] = victim.clients;
    assert.ok(direct !== undefined);
    await direct.ask();
    if (tier === "paused") await reached(world.daemon, "victim", "paused");
    kill(machinesOf(victim.uuid));
    victim.nonce = await until("another boot answers", async () => {
      const answer = await direct.ask().catch(() => victim.nonce);
      return answer !== victim.nonce && answer;
    });
    for (const client of victim.clients) await answerOf(client);
  });
  speak();
}

async function suspendAndStart({ daemon, random, subject, note }: World): Promise<void> {
  const names = ["deep", "awake", "victim", "fresh"];
  const { name, uuid } = subject(names[Math.floor(random() * names.length)] ?? "deep");
  note(`${name} is told to sleep, and then to start`);
  await daemon.rest("PUT", `/instances/${uuid}/suspend`);
  await pause(random() * 400);
  const { status } = await daemon.rest("PUT", `/instances/${uuid}/start`);
  assert.equal(status, 200);
}

/** What kept no promise of its memory starts anew by itself, and nobody who asks notices more than that. */
async function damageFresh(world: World): Promise<void> {
  const fresh = world.subject("fresh");
  const speak = await world.mute("fresh");
  for (const client of fresh.clients) await answerOf(client);
  if (await putToDisk(world, fresh)) truncateSync(snapshotFile(world, fresh.uuid, "delta"), 4096);
  else world.note("it did not stay asleep: nothing is damaged");
  speak();
}

async function damageVictim(world: World): Promise<void> {
  const victim = world.subject("victim");
  const speak = await world.mute("victim");
  await answerOf(victim.clients[0] ?? assert.fail());
  if (await putToDisk(world, victim)) {
    if (world.random() < 0.5) rmSync(snapshotFile(world, victim.uuid, "."), { recursive: true });
    else truncateSync(snapshotFile(world, victim.uuid, "state"), 100);
    const { message } = await world.daemon.refused(["start", "victim"]);
    assert.match(message, /lost or damaged/);
    await world.daemon.ok(["start", "--cold", "victim"]);
    victim.nonce = await answerOf(victim.clients[0] ?? assert.fail());
    for (const client of victim.clients) await answerOf(client);
  } else world.note("it did not stay asleep: nothing is damaged");
  speak();
}

const snapshotFile = ({ daemon }: World, uuid: string, file: string): string =>
  join(daemon.dataDirectory, "instances", uuid, "sleep", file);

async function storm(world: World): Promise<void> {
  const { daemon, random, note } = world;
  const { name, uuid, clients } = world.subject("victim");
  const speak = await world.mute(name);
  await answerOf(clients[0] ?? assert.fail());
  const tier = random() < 0.5 ? "paused" : "disk";
  if (tier === "disk") await putToDisk(world, world.subject(name));
  await reached(daemon, name, tier);
  await daemon.ok(["update", name, "--cooldown", "60"]);
  const starts = async () => (await daemon.json(["inspect", name])).start_count;
  const before = await starts();
  await Promise.all(Array.from({ length: 50 }, (_, index) => clients[index % clients.length]?.ask()));
  assert.equal((await starts()) - before, 1, `50 requests to one asleep (${tier}) are one wake`);
  note(`it was asleep (${tier})`);
  await daemon.ok(["update", uuid, "--cooldown", "0.3"]);
  speak();
}

/** Nobody is at most of the pool's addresses, and nobody is woken for them. */
async function flood({ daemon, subject, note }: World): Promise<void> {
  const { host } = subject("deep");
  const [a, b] = host.split(".");
  const socket = createSocket("udp4");
  socket.on("error", () => {}); // The kernel says that nobody is there.
  await new Promise<void>((resolve) => socket.bind(0, resolve));
  let sent = 0;
  for (let round = 0; round < 20; round++) {
    for (let c = 0; c < 100; c++) {
      socket.send("flood", 9, `${a}.${b}.${100 + c}.${round + 1}`);
      sent += 1;
    }
    await pause(10);
  }
  socket.close();
  note(`${sent} packets to nobody`);
  await daemon.ok(["ps"]);
}

async function changeGroups({ daemon, random, subject }: World): Promise<void> {
  const names = ["deep", "awake", "fresh"];
  const { name } = subject(names[Math.floor(random() * names.length)] ?? "awake");
  const { service_group: group } = await daemon.json(["inspect", name]);
  const limit = `${1 + Math.floor(random() * 20)}`;
  await daemon.ok(["services", "update", group.name, "--soft-limit", limit, "--hard-limit", "200"]);
  await daemon.ok(["services", "create", "passing", "-p", "443:8080", "--domain", "passing"]);
  await daemon.ok(["services", "rm", "passing"]);
}

/** Branches, checkpoints, rewinds, templates and forks of two, and then of all that has come of them. */
async function copy({ daemon, random, note }: World): Promise<void> {
  const family = new Family(daemon);
  for (const _founder of [1, 2]) await family.found(family.newName());
  for (let bout = 0; bout < 3; bout++) await playBout({ family, random, note });
  await family.end();
}

export const faults: Readonly<Record<string, Fault>> = {
  "the daemon is killed": killDaemon,
  "the edge is killed": killEdge,
  "the waker is killed": killWaker,
  "what changes links is killed": killLinkHelper,
  "a monitor is killed awake": (world) => killVictim(world, "running"),
  "a monitor is killed asleep": (world) => killVictim(world, "paused"),
  "suspend and start": suspendAndStart,
  "memory of one without a promise is damaged": damageFresh,
  "memory of one with a promise is damaged": damageVictim,
  "a storm of requests": storm,
  "a flood for nobody": flood,
  "groups change": changeGroups,
  "copies are made and undone": copy,
  "a group follows its load": crowd,
};
