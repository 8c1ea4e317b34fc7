/** Templates, branches, sets and rewinds as a caller of the API sees them: figures of the issue "snapshots as a tool". */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { MachineSpec } from "../../packages/daemon/src/vmm/port.ts";
import { readSleepMeta } from "../../packages/daemon/src/vmm/qemu/sleep-snapshot.ts";
import { cacheDirectory } from "../kit/boot-files.ts";
import type { TestDaemon } from "../kit/daemon.ts";
import { until } from "../kit/until.ts";
import { bareRestore } from "./bare-restore.ts";
import { logMark, pausesSince, type Steps, stepsSince } from "./daemon-steps.ts";
import { machinePids } from "./host-memory.ts";
import { median } from "./median.ts";
import { makeServers, type Report, type Sleeper } from "./sleep.ts";

/** Of a start from a snapshot, in order; `started` and `loaded` are of the VMM's process. It runs once it is resumed. */
const stepNames = ["prepared", "started", "loaded", "resumed", "reached", "become", "admitted"] as const;

/** The daemon must log at level debug. */
export async function cloneFigures(daemon: TestDaemon, report: Report, rounds: number): Promise<void> {
  const [base] = await makeServers(daemon, { name: "base" });
  if (base === undefined) throw new Error("no instance was made");
  const [rootPath = ""] = machinePids().map(rootOf);
  await daemon.ok(["template", "create", "base"]);
  const clone: Made = { ms: [], steps: [] };
  const bare: number[] = [];
  for (let round = 0; round < rounds * 3; round += 1) {
    await make(daemon, clone, () => create(daemon, { template: { name: "base" } }), remove);
    bare.push(await restoreByHand(daemon, rootPath));
  }
  report("clone of a template, 128 MiB: create over REST until it runs, median", median(clone.ms), "ms", 80);
  report("clone of a template: bare QEMU with the same files, median", median(bare), "ms");
  report("clone of a template: ratio", median(clone.ms) / median(bare), "", 1.5);
  for (const name of stepNames) {
    report(`  clone: ${name}`, median(clone.steps.map((each) => each[name] ?? Number.NaN)), "ms");
  }
  await daemon.ok(["template", "rm", "base"]);
  await setFigures(daemon, report, rounds);
}

/** Three serve; each is branched alone, then all at one instant. Then one of them goes back, and is stopped and started. */
async function setFigures(daemon: TestDaemon, report: Report, rounds: number): Promise<void> {
  const names = ["one", "two", "three"];
  for (const name of names) await makeServers(daemon, { name });
  const pauses = { single: [] as number[], set: [] as number[] };
  const branch = async (some: readonly string[]): Promise<number> => {
    const mark = logMark(daemon);
    await daemon.ok(["branch", ...some, "--suffix", "copy"]);
    await daemon.ok(["rm", "-f", ...some.map((name) => `${name}-copy`)]);
    return Math.max(...pausesSince(daemon, mark));
  };
  // Each is of some milliseconds, in which any other process of the machine shows.
  for (let round = 0; round < rounds * 4; round += 1) {
    const alone: number[] = [];
    for (const name of names) alone.push(await branch([name]));
    pauses.single.push(Math.max(...alone));
    pauses.set.push(await branch(names));
  }
  report("branch, 128 MiB: pause of the slowest of three, one by one, median", median(pauses.single), "ms");
  report("branch of a set of three: pause, median", median(pauses.set), "ms");
  report("branch of a set of three: ratio", median(pauses.set) / median(pauses.single), "", 1.5);

  await daemon.ok(["checkpoint", "create", "one", "--name", "kept"]);
  const times = { rewind: [] as number[], cold: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    times.rewind.push(await timed(() => daemon.ok(["rewind", "one", "kept"])));
    await daemon.ok(["stop", "--force", "one"]);
    times.cold.push(await timed(() => daemon.ok(["start", "one"])));
  }
  report("rewind, until it is itself again, median", median(times.rewind), "ms");
  report("start of the same instance from its boot snapshot, median", median(times.cold), "ms");
  await daemon.ok(["checkpoint", "rm", "kept"]);
  await daemon.ok(["rm", "-f", ...names]);
}

interface Made {
  readonly ms: number[];
  readonly steps: Steps[];
}

async function make(
  daemon: TestDaemon,
  { ms, steps }: Made,
  create: () => Promise<Sleeper>,
  remove: (daemon: TestDaemon, made: Sleeper) => Promise<unknown>,
): Promise<void> {
  const mark = logMark(daemon);
  let made: Sleeper | undefined;
  ms.push(await timed(async () => (made = await create())));
  const whole = (found: Steps) => (found["admitted"] === undefined ? undefined : found);
  steps.push(await until("its steps are in the log", () => whole(stepsSince(daemon, mark))));
  if (made !== undefined) await remove(daemon, made);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function create(daemon: TestDaemon, members: object): Promise<Sleeper> {
  const request = { autostart: true, timeout_s: 60, ...members };
  const { status, body } = await daemon.rest("POST", "/instances", request);
  if (status !== 200 || body.status !== "success") throw new Error(`create: ${JSON.stringify(body)}`);
  return body.data.instances[0];
}

const remove = (daemon: TestDaemon, { uuid }: Sleeper) => daemon.rest("DELETE", "/instances", [{ uuid }]);

/** The image that a machine of the daemon has as its root. */
const rootOf = (pid: number): string =>
  /node-name=root,[^\0]*?file\.filename=([^,\0]+)/.exec(readFileSync(`/proc/${pid}/cmdline`, "utf8"))?.[1] ??
  "";

/** The only snapshot that the daemon has, over a disk like a clone's. */
async function restoreByHand(daemon: TestDaemon, rootPath: string): Promise<number> {
  const snapshots = join(daemon.dataDirectory, "snapshots");
  const snapshot = join(snapshots, readdirSync(snapshots)[0] ?? "");
  const meta = readSleepMeta(snapshot);
  if (typeof meta === "string") throw new Error(`the snapshot is ${meta}`);
  const [uid, tap, directory] = [2 ** 30 + 2 ** 20, "bare", join(daemon.directory, "bare")];
  mkdirSync(directory);
  chmodSync(directory, 0o755);
  const overlay = join(directory, "overlay.qcow2");
  const layer = join(daemon.dataDirectory, "layers", `${meta.disk}.qcow2`);
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", layer, overlay]);
  chownSync(overlay, uid, uid);
  execFileSync("ip", ["tuntap", "add", "dev", tap, "mode", "tap", "user", `${uid}`, "vnet_hdr"]);
  const spec: Omit<MachineSpec, "boot"> = {
    ...{ id: "bare", directory: join(directory, "m"), uid, shape: meta.shape, roms: [] },
    root: { path: rootPath, format: "raw", readOnly: true },
    writable: { path: overlay, format: "qcow2", readOnly: false },
    network: { tap, mac: meta.mac },
  };
  try {
    const { ms, end } = await bareRestore(spec, snapshot, cacheDirectory);
    await end();
    return ms;
  } finally {
    execFileSync("ip", ["link", "delete", tap]);
    rmSync(directory, { recursive: true });
  }
}
