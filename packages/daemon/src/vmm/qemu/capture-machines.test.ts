/** What only QEMU can show of a capture: a guest that writes all the time, addresses, crashes, full disks, and unfit hosts. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { cacheDirectory } from "../../../../../test/kit/boot-files.ts";
import { machinesForFile } from "../../../../../test/kit/qemu-machines.ts";
import { until } from "../../../../../test/kit/until.ts";
import { findProcesses } from "../../host/find-process.ts";
import { signalProcess } from "../../host/process-identity.ts";
import type { Capture, CaptureTarget, Machine, MachineSpec } from "../port.ts";
import { readSleepMeta, type SleepSnapshotMeta, sleepMetaText } from "./sleep-snapshot.ts";

const { machines, vmm } = await machinesForFile();
let snapshots = 0;
const never = new AbortController().signal;

interface Running {
  readonly spec: MachineSpec;
  readonly machine: Machine;
}

async function start(): Promise<Running> {
  const spec = await machines.newSpec();
  const machine = await vmm.start(spec, never);
  machines.keep(machine);
  return { spec, machine };
}

async function targetFor({ spec }: Running, directory = dirname(spec.directory)): Promise<CaptureTarget> {
  return { directory: join(directory, `snapshot${++snapshots}`), ...(await machines.prepareNext(spec)) };
}

async function captured(running: Running): Promise<CaptureTarget> {
  const target = await targetFor(running);
  const capture = await running.machine.capture(target, never);
  await running.machine.pause();
  await capture.take(never);
  await running.machine.resume();
  await capture.publish(never);
  await machines.completeSwitch(running.spec);
  return target;
}

async function cloneOf({ directory, disk }: CaptureTarget): Promise<Running> {
  const spec = await machines.cloneSpec(disk);
  const machine = await vmm.resume(spec, directory, never);
  machines.keep(machine);
  await machine.resume();
  return { spec, machine };
}

async function startPassWriter(machine: Machine): Promise<void> {
  const path = join(machines.directory, "pass-writer");
  const source = join(import.meta.dirname, "../../../../../test/kit/vmm/pass-writer.c");
  execFileSync("musl-gcc", ["-O2", "-Wall", "-Werror", "-static", "-s", "-o", path, source]);
  await machines.remember(machine, "");
  const program = readFileSync(path).toString("base64");
  for (let at = 0; at < program.length; at += 8192) {
    await machines.shell(machine, `echo -n ${program.slice(at, at + 8192)} >>/mem/base64`);
  }
  const run = "/mem/pass-writer /mem/pass >/dev/null 2>&1 </dev/null";
  await machines.shell(
    machine,
    `base64 -d </mem/base64 >/mem/pass-writer && chmod 755 /mem/pass-writer && (${run} &); while ! [ -s /mem/pass ]; do usleep 10000; done`,
  );
}

async function passOf(machine: Machine): Promise<number> {
  const said = (await machines.shell(machine, "cat /mem/pass")).trim();
  // The file is empty for a moment now and then.
  assert.match(said, /^\d*$/);
  return Number(said);
}

test("memory that is written all the time is of one instant, in every clone and in its clone", async () => {
  const source = await start();
  await startPassWriter(source.machine);
  const clones: Running[] = [];
  for (let round = 0; round < 3; round++) clones.push(await cloneOf(await captured(source)));
  const [first] = clones;
  assert.ok(first);
  clones.push(await cloneOf(await captured(first)));
  for (const { machine } of [source, ...clones]) {
    const before = await until("it passes", async () => (await passOf(machine)) || undefined);
    await until("it has passed over all pages", async () => (await passOf(machine)) > before + 2);
    await machine.kill();
  }
});

test("a capture is whole while somebody talks to the agent", async () => {
  const source = await start();
  await machines.remember(source.machine, "kept");
  const bytes = 24 << 20;
  const talk = machines.shell(source.machine, `head -c ${bytes} /dev/zero | tr '\\0' x`);
  const targets: CaptureTarget[] = [];
  for (let round = 0; round < 4; round++) targets.push(await captured(source));
  assert.equal((await talk).length, bytes);
  assert.equal(await machines.recall(source.machine), "kept");
  for (const target of targets) {
    const clone = await cloneOf(target);
    assert.equal(await machines.recall(clone.machine), "kept");
    await clone.machine.kill();
  }
  await source.machine.kill();
});

test("a driver that is bound again, at once or later, finds the clone's own MAC address", async () => {
  const source = await start();
  const address = `cat /sys/class/net/eth0/address`;
  assert.equal(await machines.shell(source.machine, address), `${source.spec.network.mac}\n`);
  const clone = await cloneOf(await captured(source));
  const bus = "/sys/bus/virtio/drivers/virtio_net";
  const rebind = `for d in ${bus}/virtio*; do n=$(basename $d); echo $n >${bus}/unbind; echo $n >${bus}/bind; done`;
  assert.equal(
    await machines.shell(clone.machine, `${address}; ${rebind}; ${address}; sleep 1; ${rebind}; ${address}`),
    `${source.spec.network.mac}\n${clone.spec.network.mac}\n${clone.spec.network.mac}\n`,
  );
  for (const { machine } of [clone, source]) await machine.kill();
});

type Crash = "QEMU" | "the daemon";
const steps = ["prepared", "begun", "taken", "published"] as const;

/** Ends as if the one or the other had died after the step; the machine is left if it outlives that. */
async function crashAfter(step: (typeof steps)[number], crash: Crash, source: Running): Promise<Capture[]> {
  const { machine, spec } = source;
  const target = await targetFor(source);
  const open: Capture[] = [];
  if (step !== "prepared") open.push(await machine.capture(target, never));
  if (step === "taken" || step === "published") {
    await machine.pause();
    await open[0]?.take(never);
    await machine.resume();
  }
  if (step === "published") await open[0]?.publish(never);
  if (crash === "QEMU") {
    await machines.killVmm(machine);
    await machine.exited;
    await machine.kill();
  } else {
    await machines.hangUp(machine);
    await machine.release();
    // Its helpers end with it.
    for (const helper of findProcesses(join(spec.directory, "run"))) signalProcess(helper, "SIGKILL");
    const adopted = (await (await machines.newVmm()).adopt(spec.directory)) ?? assert.fail("not adopted");
    machines.keep(adopted);
    // It goes on and writes; the switch is completed under it, as a new daemon does.
    await machines.completeSwitch(spec);
    await machines.store(adopted, "after the crash");
    const again = await captured({ machine: adopted, spec });
    const clone = await cloneOf(again);
    assert.equal(await machines.load(clone.machine), "after the crash");
    await clone.machine.kill();
    await adopted.kill();
  }
  return open;
}

for (const crash of ["QEMU", "the daemon"] as const) {
  for (const step of steps) {
    test(`${crash} dies once a capture is ${step}: the disk has all that was stored`, async () => {
      const source = await start();
      await machines.store(source.machine, "before");
      const open = await crashAfter(step, crash, source);
      await machines.completeSwitch(source.spec);
      execFileSync("qemu-img", ["check", "-q", source.spec.writable.path]);
      const next = await vmm.start(source.spec, never);
      machines.keep(next);
      // Its memory is new, and the agent's configuration with it.
      assert.equal(
        await machines.shellAnew(next, "cat /stored"),
        crash === "QEMU" ? "before" : "after the crash",
      );
      await next.kill();
      for (const capture of open) await capture.abandon();
    });
  }
}

test("a full disk is no_space, the machine goes on, and room on it lets the capture be published", async () => {
  const small = join(machines.directory, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=755", "none", small]);
  try {
    const source = await start();
    await machines.remember(source.machine, "kept");
    const target = await targetFor(source, small);
    const capture = await source.machine.capture(target, never);
    await source.machine.pause();
    await capture.take(never);
    await source.machine.resume();
    await assert.rejects(capture.publish(never), (error) => {
      assert.ok(error instanceof UniError && error.hint);
      return error.code === "no_space";
    });
    assert.equal(existsSync(target.directory), false);
    assert.equal(await machines.recall(source.machine), "kept");
    execFileSync("mount", ["-o", "remount,size=256m", small]);
    await capture.publish(never);
    await machines.completeSwitch(source.spec);
    const clone = await cloneOf(target);
    assert.equal(await machines.recall(clone.machine), "kept");
    await clone.machine.kill();
    await source.machine.kill();
  } finally {
    execFileSync("umount", ["-l", small]);
  }
});

test("a snapshot is root's, holds its boot snapshot, and one that no longer fits says why", async () => {
  const source = await start();
  const { directory, disk } = await captured(source);
  await source.machine.kill();
  assert.deepEqual([statSync(directory).uid, statSync(directory).mode & 0o777], [0, 0o700]);
  const meta = readSleepMeta(directory);
  assert.ok(typeof meta !== "string");
  const leases = join(cacheDirectory, "boot", meta.base.key, "leases");
  const holders = readdirSync(leases).map((name) => readFileSync(join(leases, name), "utf8"));
  assert.ok(holders.includes(join(directory, "meta.json")));
  const others: readonly [Partial<SleepSnapshotMeta["madeBy"]>, RegExp][] = [
    [{ qemu: "1.0" }, /it was made by QEMU 1\.0, and this is QEMU \d/],
    [{ accelerator: "kvm" }, /made under kvm, and machines run under tcg now/],
    [{ cpu: "" }, /made on another processor/],
    [{ devices: 0 }, /gave its machines other devices/],
  ];
  for (const [made, reason] of others) {
    const changed = { ...meta, madeBy: { ...meta.madeBy, ...made } };
    writeFileSync(join(directory, "meta.json"), sleepMetaText(changed));
    const health = vmm.checkSnapshot(directory);
    assert.ok(health.state === "unfit" && reason.test(health.reason), JSON.stringify(health));
    await assert.rejects(vmm.resume(await machines.cloneSpec(disk), directory, never), reason);
  }
  rmSync(directory, { recursive: true });
});

test("what was written between captures is read from the disk afterwards, also when a daemon died in between", async () => {
  const source = await start();
  const write = (name: string) =>
    machines.shell(source.machine, `head -c 1000000 /dev/urandom >/${name}; sync; md5sum </${name}`);
  const sums: string[] = [];
  for (const name of ["one", "two", "three"]) {
    sums.push(await write(name));
    await captured(source);
    // Of a capture that was cut short: a new daemon gives the successor the disk's name.
    await targetFor(source);
    await machines.completeSwitch(source.spec);
  }
  const read = "echo 3 >/proc/sys/vm/drop_caches; for f in one two three; do md5sum </$f; done";
  assert.equal(await machines.shell(source.machine, read), sums.join(""));
  await source.machine.kill();
});

/** So many captures, each with something of its own on the disk. */
async function capturedOften(source: Running, to: number, from = 0): Promise<CaptureTarget[]> {
  const targets: CaptureTarget[] = [];
  for (let round = from; round < to; round++) {
    await machines.shell(source.machine, `echo ${round} >/kept${round}; sync`);
    targets.push(await captured(source));
  }
  return targets;
}

const sum = (rounds: number) => `cat $(seq -f /kept%.0f 0 ${rounds - 1}) | md5sum`;

test("a disk that was captured often is folded while its machine goes on, and is captured again; clones of before stay", async () => {
  const source = await start();
  await machines.remember(source.machine, "kept");
  const targets = await capturedOften(source, 8);
  const all = await machines.shell(source.machine, sum(8));
  const disk = dirname(source.spec.writable.path);
  const chain = machines.layers.chainOf(disk);
  assert.equal(chain.length, 8);
  const onto = machines.layers.pathOf(chain.at(-4) ?? "");
  const path = source.spec.writable.path;
  const open = () =>
    readdirSync(`/proc/${source.machine.process.pid}/fd`).map((fd) =>
      readlinkSync(`/proc/${source.machine.process.pid}/fd/${fd}`),
    );
  await source.machine.foldDisk({ path, onto }, never);
  assert.deepEqual(machines.layers.chainOf(disk), chain.slice(-4));
  assert.equal(open().filter((file) => file.startsWith(dirname(disk)) && file.includes(".qcow2")).length, 5);
  assert.deepEqual(
    open().filter((file) => file.includes("memfd:devices")),
    [],
  );
  assert.equal(await machines.shell(source.machine, `echo 3 >/proc/sys/vm/drop_caches; ${sum(8)}`), all);
  targets.push(...(await capturedOften(source, 10, 8)));
  for (const target of [targets[6], targets[9]]) {
    assert.ok(target);
    const clone = await cloneOf(target);
    assert.equal(await machines.recall(clone.machine), "kept");
    const [at = 0] = [targets.indexOf(target)];
    assert.equal(await machines.shell(clone.machine, `cat /kept${at}`), `${at}\n`);
    await clone.machine.kill();
  }
  // A paused one, too; and it stands still afterwards.
  await source.machine.pause();
  await source.machine.foldDisk({ path, onto }, never);
  assert.equal(source.machine.paused, true);
  await source.machine.resume();
  await source.machine.kill();
  execFileSync("qemu-img", ["check", "-q", path]);
  assert.deepEqual(readdirSync(disk), ["writable.qcow2"]);
  const next = await vmm.start(source.spec, never);
  machines.keep(next);
  assert.equal(await machines.shellAnew(next, "cat /kept9"), "9\n");
  await next.kill();
});

test("a fold that is aborted, or whose QEMU dies, leaves the disk as it was or folded", async () => {
  const source = await start();
  await machines.shell(source.machine, "head -c 20000000 /dev/urandom >/large; sync");
  const before = await machines.shell(source.machine, "md5sum </large");
  await capturedOften(source, 5);
  const disk = dirname(source.spec.writable.path);
  const fold = {
    path: source.spec.writable.path,
    onto: machines.layers.pathOf(machines.layers.chainOf(disk).at(-1) ?? ""),
  };
  const abort = new AbortController();
  const aborted = source.machine.foldDisk(fold, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  assert.equal(await machines.shell(source.machine, "md5sum </large"), before);
  const dying = source.machine.foldDisk(fold, never).catch(() => {});
  await machines.killVmm(source.machine);
  await Promise.all([dying, source.machine.exited]);
  await source.machine.kill();
  execFileSync("qemu-img", ["check", "-q", fold.path]);
  const next = await vmm.start(source.spec, never);
  machines.keep(next);
  assert.equal(await machines.shellAnew(next, "md5sum </large"), before);
  await next.kill();
});
