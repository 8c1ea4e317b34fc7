/** kill -9 of the daemon at each step of falling asleep and of waking: what is in memory stays, and who asks is answered. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { buildBusybox, daemonForFile } from "../kit/machine-test.ts";
import { machinesOf, pidsOf } from "../kit/processes.ts";
import { memoryAt, reached, runRemembering } from "../kit/sleepers.ts";
import { come } from "../kit/steps.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile({ env: { UNI_SLEEP_TO_DISK_AFTER: "1000" } });
await buildBusybox(uni);
const policy = ["--scale-to-zero", "idle", "--cooldown", "0.5", "--stateful"];
const url = await runRemembering(uni, "web", policy);
const { nonce } = await memoryAt(url);
const { uuid, private_ip: address } = await uni.json(["inspect", "web"]);

let database: DatabaseSync;
before(() => {
  database = new DatabaseSync(join(uni.dataDirectory, "uni.db"), { readOnly: true });
});
after(async () => {
  database.close();
  await uni.uni(["rm", "-f", "web"]);
});

const written = () => JSON.parse(String(database.prepare("SELECT status FROM instances").get()?.status));
/** As /proc/net/route writes it: the bytes of the address from the last to the first. */
const hexAddress = Buffer.from(String(address).split(".").reverse().map(Number))
  .toString("hex")
  .toUpperCase();
const hasRoute = () => readFileSync("/proc/net/route", "utf8").includes(hexAddress);
const machine = join(uni.dataDirectory, "vm", uuid);
const hasAside = (file: string) =>
  existsSync(machine) &&
  readdirSync(machine).some((name) => name.startsWith("aside-") && existsSync(join(machine, name, file)));
const isPublished = () => existsSync(join(uni.dataDirectory, "instances", uuid, "sleep", "meta.json"));
const hasBegun = () => ["stopping", "starting"].includes(written().state);
const isWritten = (state: string, tier?: string) => () =>
  written().state === state && written().sleep?.tier === tier;

interface Step {
  readonly name: string;
  readonly from: "running" | "paused" | "disk";
  /** Processes that are stopped when it has begun, so that the step cannot be over before the daemon is. */
  readonly stands?: () => number[];
  readonly isReached: () => boolean;
}

const waker = () => pidsOf("waker");
const monitor = () => machinesOf(uuid);

const fallingAsleep: readonly Step[] = [
  { name: "the intent is written", from: "running", isReached: hasBegun },
  { name: "packets are about to be held", from: "running", stands: waker, isReached: hasBegun },
  { name: "the route is gone", from: "running", isReached: () => !hasRoute() },
  {
    name: "the processors are about to stand",
    from: "running",
    stands: monitor,
    isReached: () => !hasRoute(),
  },
  { name: "it is written as paused", from: "running", isReached: isWritten("standby", "paused") },
  { name: "its devices are written", from: "running", isReached: () => hasAside("state") },
  { name: "its memory is being written", from: "running", isReached: () => hasAside("delta") },
  { name: "its memory is written", from: "running", isReached: () => hasAside("meta.json") || isPublished() },
  { name: "its snapshot has its name", from: "running", isReached: isPublished },
  { name: "it is written as being on disk", from: "running", isReached: isWritten("standby", "disk") },
  { name: "its process has ended", from: "running", isReached: () => monitor().length === 0 },
];

const waking: readonly Step[] = [
  { name: "the intent is written", from: "paused", isReached: hasBegun },
  { name: "the processors are about to run", from: "paused", stands: monitor, isReached: hasBegun },
  { name: "the route is there", from: "paused", isReached: hasRoute },
  { name: "packets are about to be released", from: "paused", stands: waker, isReached: hasRoute },
  { name: "it is written as running", from: "paused", isReached: isWritten("running") },
  { name: "the intent is written", from: "disk", isReached: hasBegun },
  { name: "its process starts", from: "disk", isReached: () => monitor().length > 0 },
  {
    name: "its process has its sockets",
    from: "disk",
    isReached: () => existsSync(join(machine, "run/agent")),
  },
  { name: "it is written as resumed", from: "disk", isReached: isWritten("starting", "paused") },
  { name: "the route is there", from: "disk", isReached: hasRoute },
  { name: "packets are about to be released", from: "disk", stands: waker, isReached: hasRoute },
  { name: "it is written as running", from: "disk", isReached: isWritten("running") },
];

async function bring(tier: Step["from"]): Promise<void> {
  await memoryAt(url);
  if (tier === "running") return;
  if (tier === "disk") await uni.rest("PUT", `/instances/${uuid}/suspend`);
  await reached(uni, "web", tier);
}

/** The answer comes when it can: to a packet before, during or after the daemon's absence. */
const ask = () => memoryAt(url);

async function killAt({ name, from, stands, isReached }: Step, begin: () => void): Promise<void> {
  begin();
  let standing: number[] = [];
  try {
    if (stands !== undefined) {
      // The waker is told of a new process, too, before that one runs.
      await come(name, from === "disk" ? isWritten("starting", "paused") : hasBegun);
      standing = stands();
      for (const pid of standing) process.kill(pid, "SIGSTOP");
    }
    await come(name, isReached);
    if (stands !== undefined) await pause(50);
    await uni.kill();
  } finally {
    for (const pid of standing) process.kill(pid, "SIGCONT");
  }
}

async function isAsBefore(answer: Promise<{ nonce: string }>): Promise<void> {
  assert.equal((await answer).nonce, nonce);
  assert.equal((await memoryAt(url)).nonce, nonce);
  const guestS = Number(await uni.ok(["exec", "web", "date", "+%s"]));
  assert.ok(Math.abs(guestS - Date.now() / 1000) < 3, `the guest's clock says ${guestS}`);
  assert.equal(machinesOf().length, 1);
  assert.ok(!hasAside(""), "something is left of the snapshot that was begun");
}

for (const step of fallingAsleep) {
  test(`killed while it falls asleep, when ${step.name}`, async () => {
    await bring(step.from);
    await killAt(step, () => void uni.rest("PUT", `/instances/${uuid}/suspend`).catch(() => {}));
    const answer = ask();
    await pause(20);
    await uni.start();
    await isAsBefore(answer);
  });
}

for (const step of waking) {
  test(`killed while it wakes from '${step.from}', when ${step.name}`, async () => {
    await bring(step.from);
    let answer: ReturnType<typeof ask> | undefined;
    await killAt(step, () => {
      answer = ask();
    });
    await uni.start();
    await isAsBefore(answer ?? ask());
  });
}

test("killed asleep with nothing asked, it sleeps on", async () => {
  for (const tier of ["paused", "disk"] as const) {
    await bring(tier);
    await uni.kill();
    await uni.start();
    await until("it sleeps as before", async () => (await uni.json(["inspect", "web"])).sleep?.tier === tier);
    await isAsBefore(ask());
  }
});
