/** What many sleepers cost the host together, by tier. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestDaemon } from "../kit/daemon.ts";
import { until } from "../kit/until.ts";
import { machinePids, pssBytes, rssBytes } from "./host-memory.ts";
import { median } from "./median.ts";
import { makeServers, type Report, type Sleeper, sendToDisk, tierOf } from "./sleep.ts";

const count = 200;
const atOnce = 20;
const idleMs = 20_000;
const mebi = 2 ** 20;

export async function manySleepers(daemon: TestDaemon, report: Report): Promise<void> {
  const policy = { policy: "idle", cooldown_time_ms: 500, stateful: true };
  const sleepers: Sleeper[] = [];
  while (sleepers.length < count) {
    const some = await makeServers(daemon, { replicas: atOnce - 1, scale_to_zero: policy });
    for (const one of some) {
      await until("it is paused", async () => (await tierOf(daemon, one)) === "paused", 60_000);
    }
    sleepers.push(...some);
  }
  const pausedCpu = await idleCpu();
  report(`${count} paused: memory each (PSS)`, median(machinePids().map(pssBytes)) / mebi, "MiB");
  report(`${count} paused: of a core, idle`, pausedCpu, "%", 2);

  for (let at = 0; at < count; at += atOnce) await sendToDisk(daemon, sleepers.slice(at, at + atOnce));
  await until("their processes are gone", () => machinePids().length === 0);
  const bytes = sleepers.map(({ uuid }) => diskBytes(join(daemon.dataDirectory, "instances", uuid, "sleep")));
  report(`${count} on disk: processes`, machinePids().length, "", 0);
  report(`${count} on disk: disk each, median`, median(bytes) / mebi, "MiB", 12);
  report(`${count} on disk: of a core, idle`, await idleCpu(), "%", 2);
  report(`${count} on disk: memory of the daemon (RSS)`, rssBytes(daemon.pid) / mebi, "MiB");
  await daemon.rest(
    "DELETE",
    "/instances",
    sleepers.map(({ uuid }) => ({ uuid })),
  );
}

/** Per cent of a core that all that Uni runs here takes together: daemon, waker, machines and HAProxy. */
async function idleCpu(): Promise<number> {
  const before = cpuMsOfOthers();
  await sleep(idleMs);
  return ((cpuMsOfOthers() - before) / idleMs) * 100;
}

/** CPU time so far of every process of this process namespace but this one (Documentation/scheduler/sched-stats.rst). */
function cpuMsOfOthers(): number {
  let ns = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid || pid === "1") continue;
    for (const path of threadsOf(pid)) {
      try {
        ns += Number(readFileSync(path, "utf8").split(" ")[0]);
      } catch {
        // The thread has just ended.
      }
    }
  }
  return ns / 1e6;
}

function threadsOf(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`);
  } catch {
    return [];
  }
}

function diskBytes(path: string): number {
  const [size] = execFileSync("du", ["-s", "--block-size=1", path], { encoding: "utf8" }).split("\t");
  return Number(size);
}
