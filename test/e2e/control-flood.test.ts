/** Guests whose programs write to the files of the control tree at full speed: others are served, and nothing grows or stays. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { requestsApartMs, requestsAtOnce } from "../../packages/daemon/src/guest/requests.ts";
import { identify } from "../../packages/daemon/src/host/process-identity.ts";
import { readUsage } from "../../packages/daemon/src/host/process-usage.ts";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";
import { machinesOf } from "../kit/processes.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

const floodMs = 15_000;

const loop = (body: string) => `( while :; do ${body}; done ) 2>/dev/null &`;
const signals = loop("for s in USR1 none 64 nonsense; do echo $s >/uk/libukp/clone_signal; done");
const templates = loop("echo 1 >/uk/libukp/template_instance");
/** Each child ends at once. */
const forks = loop(
  "echo >/uk/libukp/fork && read -r child </uk/libukp/fork && case $child in 0000*) kill -9 $$;; esac",
);
/** Writers that give up while they wait. */
const impatient = loop("timeout -s KILL 0.05 sh -c 'echo >/uk/libukp/fork' || :");
const forker = `${forks.repeat(4)} ${impatient.repeat(4)} ${signals} ${idle}`;

function usage() {
  const daemon = identify(uni.pid);
  const used = daemon === undefined ? undefined : readUsage(daemon);
  assert.ok(used, "the daemon runs");
  return { cpuMs: used.cpuTimeMs, rssMb: used.rssBytes / 2 ** 20 };
}

const captures = () => uni.logTail(100_000).split('"msg":"captured"').length - 1;

test("floods of forks, templates and signals cost little, and leave nothing", async () => {
  await runScript(uni, "bystander", idle);
  await runScript(uni, "forker", forker);
  // It may not become one, so that it can ask for ever.
  await runScript(uni, "asker", `${templates.repeat(8)} ${signals} ${idle}`, ["--delete-lock"]);
  await until("forks are made", () => captures() > 0);
  const before = { ...usage(), captures: captures(), at: performance.now() };
  while (performance.now() - before.at < floodMs) {
    assert.equal(await uni.ok(["exec", "bystander", "echo", "served"]), "served");
    await uni.ok(["ps", "-a"]);
    await pause(200);
  }
  const seconds = (performance.now() - before.at) / 1000;
  const after = usage();
  const made = captures() - before.captures;
  assert.ok(made > 0, "forks go on");
  assert.ok(made <= requestsAtOnce + (seconds * 1000) / requestsApartMs + 1, `${made} forks in ${seconds} s`);
  assert.ok(after.rssMb - before.rssMb < 48, `from ${before.rssMb} MiB to ${after.rssMb} MiB`);
  const share = (after.cpuMs - before.cpuMs) / (seconds * 1000);
  assert.ok(share < 0.5, `${share} of a processor`);
  // Unlocked while it asks, it would become the template.
  await uni.ok(["stop", "--force", "asker"]);
  await uni.ok(["update", "asker", "--no-delete-lock"]);
  await uni.ok(["rm", "-f", "forker", "asker", "bystander"]);
  await until("nothing is left", async () => {
    const names: string[] = (await uni.json(["ps", "-a"])).map(({ name }: { name: string }) => name);
    if (names.length > 0) await uni.uni(["rm", "-f", ...names]);
    const left = ["instances", "vm", "snapshots", "layers"].map((name) => join(uni.dataDirectory, name));
    return names.length + left.flatMap((path) => readdirSync(path)).length + machinesOf().length === 0;
  });
});

test("a shutdown that stops all is not outrun by a family that goes on forking", async () => {
  const before = captures();
  await runScript(uni, "forker", forker);
  await until("forks are made", () => captures() > before + 2);
  // Shuts it down so, waits for its end, and finds nothing left.
  await uni.stop();
  assert.deepEqual(machinesOf(), []);
});
