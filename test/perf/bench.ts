/**
 * The figures that Uni promises. Both sides of a ratio alternate in one run, since machines are noisy; medians count.
 * Usage: npm run bench [-- --rounds N] [--json FILE]     Ends with 1 if a figure misses its aim.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startDaemon, type TestDaemon } from "../kit/daemon.ts";
import { buildBusybox, idle } from "../kit/machine-test.ts";
import { enterOwnNamespaces } from "../kit/own-namespaces.ts";
import { cloneFigures } from "./clones.ts";
import { edgeFigures } from "./edge.ts";
import { machinePids, pssBytes, rssBytes } from "./host-memory.ts";
import { pullFigures } from "./image-pull.ts";
import { manySleepers } from "./many-sleepers.ts";
import { median } from "./median.ts";
import { rawBoots } from "./raw-boot.ts";
import { registryFigures } from "./registry.ts";
import { sleepFigures } from "./sleep.ts";
import { snapshotFigures } from "./snapshots.ts";

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Undefined: reported only. */
  readonly atMost?: number;
}

enterOwnNamespaces();

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, json: { type: "string" } },
});
const rounds = Number(values.rounds);
const memoryMb = 128;
const figures: Figure[] = [];

function report(what: string, value: number, unit: string, atMost?: number): void {
  figures.push({
    what,
    value: Math.round(value * 1000) / 1000,
    unit,
    ...(atMost !== undefined && { atMost }),
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function create(daemon: TestDaemon, members: object): Promise<string> {
  const { status, body } = await daemon.rest("POST", "/instances", {
    image: "busybox",
    args: ["sh", "-c", idle],
    memory_mb: memoryMb,
    autostart: true,
    timeout_s: 60,
    ...members,
  });
  if (status !== 200 || body.status !== "success") throw new Error(`create: ${JSON.stringify(body)}`);
  return body.data.instances[0].uuid;
}

const remove = (daemon: TestDaemon, uuids: readonly string[]) =>
  daemon.rest(
    "DELETE",
    "/instances",
    uuids.map((uuid) => ({ uuid })),
  );

async function coldStart(daemon: TestDaemon): Promise<void> {
  const { accelerator } = await daemon.json(["info"]);
  const cache = process.env["UNI_CACHE_DIR"] ?? "/var/cache/uni";
  const raw = await rawBoots(daemon.directory, cache, accelerator, { vcpus: 1, memoryMb });
  // The first start makes the boot snapshot.
  await remove(daemon, [await create(daemon, {})]);
  const ours: number[] = [];
  const inside: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    let uuid = "";
    ours.push(await timed(async () => (uuid = await create(daemon, {}))));
    inside.push((await daemon.json(["inspect", uuid])).boot_time_us / 1000);
    await remove(daemon, [uuid]);
    theirs.push(await raw());
  }
  report("cold start: create over REST until the first instruction", median(ours), "ms");
  report("cold start: of which boot_time_us", median(inside), "ms");
  report("cold start: raw QEMU until its init answers", median(theirs), "ms");
  report(`cold start: ratio (${accelerator})`, median(ours) / median(theirs), "", 0.2);
}

async function manyAtOnce(daemon: TestDaemon): Promise<void> {
  const count = 20;
  const uuids: string[] = [];
  const ms = await timed(async () => {
    uuids.push(...(await Promise.all(Array.from({ length: count }, () => create(daemon, {})))));
  });
  const running = (await daemon.json(["ps"])).length;
  const machines = machinePids();
  report("20 creates at once: not running afterwards", count - running, "", 0);
  report("20 creates at once: rate", (count * 1000) / ms, "/s");
  report("20 creates at once: memory of the daemon (RSS)", rssBytes(daemon.pid) / 2 ** 20, "MiB", 150);
  report("host memory per idle machine (PSS, median)", median(machines.map(pssBytes)) / 2 ** 20, "MiB");
  await remove(daemon, uuids);
}

/** How long `uni ps` takes against an empty Node program. */
function prompt(daemon: TestDaemon): void {
  const node = join(root, "node_modules/node/bin/node");
  const env = { ...process.env, UNI_SOCKET: daemon.socket };
  const once = (command: string, args: string[]) => {
    const started = performance.now();
    const { status, stderr } = spawnSync(command, args, { env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
    return performance.now() - started;
  };
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds * 3; round += 1) {
    ours.push(once(join(root, "bin/uni"), ["ps"]));
    theirs.push(once(node, ["-e", "0"]));
  }
  report("uni ps", median(ours), "ms");
  report("node -e 0", median(theirs), "ms");
  report("uni ps: ratio", median(ours) / median(theirs), "", 3);
}

async function longList(daemon: TestDaemon): Promise<void> {
  const many = 1_000;
  // As many as one request may make.
  for (let made = 0; made < many; ) {
    const replicas = Math.min(250, many - made) - 1;
    await create(daemon, { autostart: false, timeout_s: undefined, replicas });
    made += replicas + 1;
  }
  const times: number[] = [];
  for (let round = 0; round < rounds * 3; round += 1) {
    times.push(
      await timed(async () => {
        const { body } = await daemon.rest("GET", "/instances?count=100&details=true");
        if (body.data.instances.length !== 100) throw new Error(`a page of ${body.data.instances.length}`);
      }),
    );
  }
  report("GET /v1/instances, 100 of 1,000 stopped", median(times), "ms", 20);
}

const met = ({ value, atMost }: Figure): boolean => atMost === undefined || value <= atMost;

function printTable(): void {
  const width = Math.max(...figures.map(({ what }) => what.length));
  for (const figure of figures) {
    const { what, value, unit, atMost } = figure;
    const aim = atMost === undefined ? "" : `  aim ≤ ${atMost} ${met(figure) ? "met" : "MISSED"}`;
    console.log(
      `${what.padEnd(width)}  ${value.toFixed(unit === "" ? 2 : 1).padStart(9)} ${unit.padEnd(4)}${aim}`,
    );
  }
}

async function withDaemon(
  env: Readonly<Record<string, string>>,
  work: (daemon: TestDaemon) => Promise<void>,
): Promise<void> {
  const daemon = await startDaemon({ env });
  try {
    await buildBusybox(daemon);
    await work(daemon);
  } finally {
    await daemon.stop();
  }
}

await edgeFigures(report, rounds);
await withDaemon({}, async (daemon) => {
  await coldStart(daemon);
  await manyAtOnce(daemon);
  prompt(daemon);
  await longList(daemon);
});
// Its log tells the steps of sleep; who sleeps paused stays so.
await withDaemon({ UNI_LOG_LEVEL: "debug", UNI_SLEEP_TO_DISK_AFTER: "86400" }, async (daemon) => {
  await sleepFigures(daemon, report, rounds);
  await cloneFigures(daemon, report, rounds);
});
await withDaemon({ UNI_SLEEP_TO_DISK_AFTER: "86400" }, (daemon) => manySleepers(daemon, report));
await snapshotFigures(report, rounds);
await pullFigures(report, Math.min(rounds, 3));
await withDaemon({}, (daemon) => registryFigures(daemon, report, rounds));
printTable();
const host = { cpus: cpus().length, model: cpus()[0]?.model };
const result = { at: new Date().toISOString(), rounds, host, figures };
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
else console.log(JSON.stringify(result));
process.exitCode = figures.every(met) ? 0 : 1;
