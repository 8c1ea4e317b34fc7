/** Instances that fall asleep and wake all the time, while clients of every kind keep asking them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Client, echoClient, edgeClient, httpClient, startLoad } from "../kit/load.ts";
import { buildBusybox, daemonForFile, runScript } from "../kit/machine-test.ts";
import { page } from "../kit/sleepers.ts";
import { until } from "../kit/until.ts";

/** Some of those that sleep paused are put to disk, by time and by `suspend`. */
const uni = await daemonForFile({ env: { UNI_SLEEP_TO_DISK_AFTER: "0.1" } });
await buildBusybox(uni);

const cycles = 200;
const names = ["one", "two", "three", "four"];
/** What it serves is in its memory's making: a boot would serve something else. */
const script = [
  "mkdir -p /www && cat /proc/sys/kernel/random/uuid >/www/index.html",
  "nc -ll -p 9000 -e cat & exec httpd -f -p 8080 -h /www",
].join("\n");

interface Sleeper {
  readonly name: string;
  readonly nonce: string;
  readonly clients: readonly Client[];
}

async function startSleeper(name: string, ca: string, hostPort: number): Promise<Sleeper> {
  const policy = ["--scale-to-zero", "idle", "--cooldown", "0.05", "--stateful"];
  const ports = ["-p", "443:8080", "-p", `${hostPort}:8080`, "--domain", name];
  await runScript(uni, name, script, [...policy, ...ports]);
  const { private_ip: host, service_group: group } = await uni.json(["inspect", name]);
  const fqdn = group.domains[0].fqdn;
  const nonce = await until(`${name} serves`, () => page(`http://${host}:8080/`).catch(() => undefined));
  return {
    name,
    nonce,
    clients: [
      httpClient(`${name}: direct`, host, 8080),
      httpClient(`${name}: published`, "127.0.0.1", hostPort),
      await echoClient(`${name}: open connection`, host, 9000),
      edgeClient(`${name}: edge, kept alive`, fqdn, ca, true),
      edgeClient(`${name}: edge, anew`, fqdn, ca, false),
    ],
  };
}

/** Each start but the first is a wake. */
async function wakes(): Promise<number> {
  const answer = await fetch(`${uni.url}/metrics`, { headers: { authorization: `Bearer ${uni.token}` } });
  const counts = (await answer.text()).matchAll(/^instance_start_count\{[^}]*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count) - 1, 0);
}

/** Packets that woke one out of this tier; the others are by the call. */
const wokenBy = (tier: string): number =>
  readFileSync(uni.logPath, "utf8")
    .split("\n")
    .filter((line) => line.includes("a packet wakes an instance") && line.includes(`"tier":"${tier}"`))
    .length;

test(`${cycles} cycles of sleep and wake under load, and not one request fails`, async () => {
  const ca = await uni.ok(["ca", "export"]);
  const sleepers: Sleeper[] = [];
  for (const [index, name] of names.entries()) sleepers.push(await startSleeper(name, ca, 18_080 + index));
  // The edge hears of a new instance a moment after it runs.
  for (const { ask } of sleepers.flatMap(({ clients }) => clients)) {
    await until("it answers", () =>
      ask().then(
        () => true,
        () => false,
      ),
    );
  }
  const nonceOf = (client: Client) => sleepers.find(({ name }) => client.name.startsWith(`${name}:`))?.nonce;
  const load = startLoad(
    sleepers.flatMap(({ clients }) => clients),
    {
      gapMs: 1_700,
      random: Math.random,
      check: (answer, client) => {
        if (answer !== "") assert.equal(answer, nonceOf(client), "it lost its memory");
      },
    },
  );
  const end = performance.now() + 90_000;
  while ((await wakes()) < cycles && performance.now() < end && load.failures.length === 0) {
    for (const { name } of sleepers) {
      await uni.rest("PUT", `/instances/${name}/suspend`, {});
      await pause(Math.random() * 200);
    }
  }
  await load.stop();
  assert.deepEqual(load.failures, []);
  const count = await wakes();
  assert.ok(count >= cycles, `${count} wakes only, ${load.answered()} answers`);
  for (const tier of ["paused", "disk"])
    assert.ok(wokenBy(tier) >= 10, `${wokenBy(tier)} packets woke one from '${tier}'`);
  await uni.ok(["rm", "-f", ...names]);
});
