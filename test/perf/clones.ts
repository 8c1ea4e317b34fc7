/** Templates, branches and sets as a caller of the API sees them: figures of the issue "snapshots as a tool". */
import type { TestDaemon } from "../kit/daemon.ts";
import { until } from "../kit/until.ts";
import { logMark, type Steps, stepsSince } from "./daemon-steps.ts";
import { median } from "./median.ts";
import { makeServers, type Report, type Sleeper } from "./sleep.ts";

/** Of a start from a snapshot, in order; `started` and `loaded` are of the VMM's process. */
const stepNames = [
  ...["prepared", "attached", "started", "loaded", "resumed", "reached", "become", "admitted"],
] as const;

/** The daemon must log at level debug. */
export async function cloneFigures(daemon: TestDaemon, report: Report, rounds: number): Promise<void> {
  const [base] = await makeServers(daemon, { name: "base" });
  if (base === undefined) throw new Error("no instance was made");
  await daemon.ok(["template", "create", "base"]);
  const ms: number[] = [];
  const steps: Steps[] = [];
  for (let round = 0; round < rounds * 3; round += 1) {
    const mark = logMark(daemon);
    const began = performance.now();
    const clone = await create(daemon, { template: { name: "base" } });
    ms.push(performance.now() - began);
    steps.push(await until("its steps are in the log", () => wholeSteps(stepsSince(daemon, mark))));
    await remove(daemon, [clone]);
  }
  report("clone of a template, 128 MiB: create over REST until it runs, median", median(ms), "ms", 80);
  for (const name of stepNames) {
    report(`  clone: ${name}`, median(steps.map((each) => each[name] ?? Number.NaN)), "ms");
  }
}

const wholeSteps = (steps: Steps): Steps | undefined => (steps["admitted"] === undefined ? undefined : steps);

async function create(daemon: TestDaemon, members: object): Promise<Sleeper> {
  const request = { autostart: true, timeout_s: 60, ...members };
  const { status, body } = await daemon.rest("POST", "/instances", request);
  if (status !== 200 || body.status !== "success") throw new Error(`create: ${JSON.stringify(body)}`);
  return body.data.instances[0];
}

const remove = (daemon: TestDaemon, instances: readonly Sleeper[]) =>
  daemon.rest(
    "DELETE",
    "/instances",
    instances.map(({ uuid }) => ({ uuid })),
  );
