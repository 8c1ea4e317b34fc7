/** What sleep costs one instance, and waking: figures of issue "instances that sleep and wake on a packet". */
import { connect } from "node:net";
import type { TestDaemon } from "../kit/daemon.ts";
import { serve } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";
import { logMark, type Steps, stepsSince } from "./daemon-steps.ts";
import { median, percentile } from "./median.ts";

export type Report = (what: string, value: number, unit: string, atMost?: number) => void;

export interface Sleeper {
  readonly uuid: string;
  readonly private_ip: string;
}

/** Each serves one page on port 8080. */
export async function makeServers(daemon: TestDaemon, members: object): Promise<readonly Sleeper[]> {
  const { status, body } = await daemon.rest("POST", "/instances", {
    image: "busybox",
    args: ["sh", "-c", serve("here")],
    memory_mb: 128,
    autostart: true,
    timeout_s: 60,
    ...members,
  });
  if (status !== 200) throw new Error(`create: ${JSON.stringify(body)}`);
  return body.data.instances;
}

export async function tierOf(daemon: TestDaemon, { uuid }: Sleeper): Promise<string | undefined> {
  const { body } = await daemon.rest("GET", `/instances/${uuid}`);
  return body.data.instances[0].sleep?.tier;
}

/** With their memory, to disk. A last packet of the request before may turn one back. */
export async function sendToDisk(daemon: TestDaemon, sleepers: readonly Sleeper[]): Promise<void> {
  const suspend = (some: readonly Sleeper[]) =>
    daemon.rest(
      "PUT",
      "/instances/suspend",
      some.map(({ uuid }) => ({ uuid, drain_timeout_ms: 0, timeout_s: -1 })),
    );
  await suspend(sleepers);
  for (const sleeper of sleepers) {
    await until(
      "it is on disk",
      async () => {
        const tier = await tierOf(daemon, sleeper);
        if (tier === undefined) await suspend([sleeper]);
        return tier === "disk";
      },
      60_000,
    );
  }
}

/** The daemon must log at level debug. */
export async function sleepFigures(daemon: TestDaemon, report: Report, rounds: number): Promise<void> {
  const [web] = await makeServers(daemon, {});
  if (web === undefined) throw new Error("no instance was made");
  await until("it answers", () => requestMs(web.private_ip).catch(() => undefined));
  const awake: number[] = [];
  for (let round = 0; round < rounds * 3; round += 1) awake.push(await requestMs(web.private_ip));
  const disk: Wakes = { ms: [], steps: [] };
  const toDisk: number[] = [];
  for (let round = 0; round < rounds * 3; round += 1) {
    const mark = logMark(daemon);
    await sendToDisk(daemon, [web]);
    toDisk.push(stepsSince(daemon, mark)["written"] ?? Number.NaN);
    await wake(daemon, web, disk);
  }
  const settings = ["--scale-to-zero", "idle", "--cooldown", "0.1", "--stateful"];
  await daemon.ok(["update", web.uuid, ...settings]);
  const paused: Wakes = { ms: [], steps: [] };
  const toPaused: number[] = [];
  for (let round = 0; round < rounds * 3; round += 1) {
    const mark = logMark(daemon);
    await until("it is paused", async () => (await tierOf(daemon, web)) === "paused");
    const { held = Number.NaN, asked = Number.NaN, paused: stopped = Number.NaN } = stepsSince(daemon, mark);
    toPaused.push(held + asked + stopped);
    await wake(daemon, web, paused);
  }
  await daemon.rest("DELETE", "/instances", [{ uuid: web.uuid }]);

  report("request to answer: awake, median", median(awake), "ms");
  report("request to answer: awake, p99", percentile(awake, 99), "ms");
  report("request to answer: paused, median", median(paused.ms), "ms");
  report("request to answer: paused, p99", percentile(paused.ms, 99), "ms");
  report("request to answer: paused, median above awake", median(paused.ms) - median(awake), "ms", 10);
  reportSteps(report, "paused", paused, ["seen", "resumed", "refreshed", "admitted"]);
  report("request to answer: on disk, median", median(disk.ms), "ms", 200);
  report("request to answer: on disk, p99", percentile(disk.ms, 99), "ms");
  reportSteps(report, "on disk", disk, diskSteps);
  report("to paused, median", median(toPaused), "ms", 5);
  report("to paused, p99", percentile(toPaused, 99), "ms");
  report("paused to on disk, median", median(toDisk), "ms", 60);
  report("paused to on disk, p99", percentile(toDisk, 99), "ms");
}

/** Waking from disk, in order; `started` and `loaded` are of the VMM's process. */
const diskSteps = ["seen", "attached", "started", "loaded", "resumed", "reached", "refreshed", "admitted"];

interface Wakes {
  readonly ms: number[];
  readonly steps: Steps[];
}

async function wake(daemon: TestDaemon, { private_ip }: Sleeper, wakes: Wakes): Promise<void> {
  const mark = logMark(daemon);
  const sentAt = Date.now();
  wakes.ms.push(await requestMs(private_ip));
  const steps = await until("its steps are in the log", () => {
    const found = stepsSince(daemon, mark, sentAt);
    return found["admitted"] === undefined ? undefined : found;
  });
  wakes.steps.push(steps);
}

/** What none of the steps has is the guest's: its answer to the packets. */
function reportSteps(report: Report, from: string, { ms, steps }: Wakes, names: readonly string[]): void {
  for (const name of names) {
    report(`  ${from}: ${name}`, median(steps.map((each) => each[name] ?? Number.NaN)), "ms");
  }
  const rest = ms.map((all, index) =>
    names.reduce((left, name) => left - (steps[index]?.[name] ?? Number.NaN), all),
  );
  report(`  ${from}: answered`, median(rest), "ms");
}

/** From the first packet to the first byte of the answer. */
function requestMs(host: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const began = performance.now();
  const socket = connect({ host, port: 8080 }, () => socket.write("GET / HTTP/1.0\r\n\r\n"));
  socket.setTimeout(30_000, () => socket.destroy(new Error("no answer within 30 s")));
  socket.once("error", reject);
  socket.once("data", () => {
    resolve(performance.now() - began);
    socket.destroy();
  });
  return promise;
}
