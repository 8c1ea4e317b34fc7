/** What only QEMU can show: privileges, devices, memory that no machine shares, and a host whose disk is full. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { cacheDirectory } from "../../../../../test/kit/boot-files.ts";
import { machinesForFile } from "../../../../../test/kit/qemu-machines.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { type Log, silentLog } from "../../base/log.ts";
import { isAlive } from "../../host/process-identity.ts";
import type { Machine, MachineSpec, Vmm } from "../port.ts";
import { createQemuVmm } from "./driver.ts";

const { machines, vmm } = await machinesForFile();
const never = new AbortController().signal;

async function start(spec?: MachineSpec, by: Vmm = vmm): Promise<Machine> {
  const machine = await by.start(spec ?? (await machines.newSpec()), never);
  machines.keep(machine);
  return machine;
}

const ramPathOf = ({ process }: Machine): string => {
  const map = readFileSync(`/proc/${process.pid}/maps`, "utf8")
    .split("\n")
    .find((line) => line.endsWith("/ram"));
  return map?.slice(map.indexOf("/")) ?? assert.fail("no RAM file is mapped");
};
const digestOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

test("a machine has its own MAC address and disks, and the image cannot be written", async () => {
  const spec = await machines.newSpec();
  const machine = await start(spec);
  assert.equal(await machines.shell(machine, "cat /sys/class/net/eth0/address"), `${spec.network.mac}\n`);
  const disks = await machines.shell(machine, "cat /sys/block/vd?/ro /sys/block/vd?/size");
  const sectors = [statSync(spec.root.path).size / 512, (256 << 20) / 512];
  assert.deepEqual(disks.trim().split("\n").map(Number), [1, 0, ...sectors]);
  await machine.kill();
});

test("the process has its own user, no capability, no way to get one, and a system call filter", async () => {
  const spec = await machines.newSpec();
  const machine = await start(spec);
  const status = readFileSync(`/proc/${machine.process.pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1] ?? "";
  assert.match(field("Uid"), new RegExp(`^(${spec.uid}\\s*){4}$`));
  assert.match(field("Gid"), new RegExp(`^(${spec.uid}\\s*){4}$`));
  assert.equal(field("Groups").trim(), "");
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) assert.match(field(set), /^0+$/);
  assert.equal(field("NoNewPrivs"), "1");
  assert.equal(field("Seccomp"), "2");
  const descriptors = `/proc/${machine.process.pid}/fd`;
  const ram = readdirSync(descriptors).find((fd) => readlinkSync(join(descriptors, fd)).endsWith("/ram"));
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${machine.process.pid}/fdinfo/${ram}`, "utf8"));
  assert.equal(Number.parseInt(flags?.[1] ?? "", 8) & 3, 0, "the RAM file is open for writing");
  await machine.kill();
});

test("machines of one snapshot share no memory that one of them wrote, and the RAM file stays as it was", async () => {
  const [one, two] = [await start(), await start()];
  const ram = ramPathOf(one);
  assert.equal(ramPathOf(two), ram);
  const untouched = digestOf(ram);
  await machines.shell(one, "mkdir /dev/shm; mount -t tmpfs none /dev/shm; echo mine >/dev/shm/x");
  assert.equal(await machines.shell(one, "cat /dev/shm/x"), "mine\n");
  assert.match(await machines.shell(two, "cat /dev/shm/x"), /No such file/);
  for (const machine of [one, two]) await machine.kill();
  assert.equal(digestOf(ram), untouched);
  const { mode, uid, blocks, size } = statSync(ram);
  assert.equal(mode & 0o777, 0o444);
  assert.equal(uid, 0);
  assert.ok(blocks * 512 < size, "the RAM file is not sparse");
});

test("two processors are two processors", async () => {
  const spec = { ...(await machines.newSpec()), shape: { vcpus: 2, memoryMb: 256 } };
  const machine = await start(spec);
  assert.equal(await machines.shell(machine, "grep -c ^processor /proc/cpuinfo"), "2\n");
  await machine.kill();
});

test("a daemon that died in the middle of a start leaves nothing that runs", async () => {
  for (const knowsProcess of [true, false]) {
    const spec = await machines.newSpec();
    const machine = await start(spec);
    await machine.release();
    const path = join(spec.directory, "machine.json");
    const record = JSON.parse(readFileSync(path, "utf8"));
    const { process: identity, ...rest } = record;
    writeFileSync(
      path,
      JSON.stringify({ ...rest, ...(knowsProcess && { process: identity }), phase: "starting" }),
    );
    assert.equal(await vmm.adopt(spec.directory), undefined);
    assert.ok(!isAlive(machine.process));
    assert.deepEqual(readdirSync(spec.directory), []);
  }
});

test("a record of another boot of the host, or one that is damaged, names no process", async () => {
  const spec = await machines.newSpec();
  const machine = await start(spec);
  await machine.release();
  const path = join(spec.directory, "machine.json");
  const record = JSON.parse(readFileSync(path, "utf8"));
  for (const text of [JSON.stringify({ ...record, bootId: "other" }), "{", ""]) {
    writeFileSync(path, text);
    assert.equal(await vmm.adopt(spec.directory), undefined);
    assert.ok(isAlive(machine.process), "a process was killed on the word of a stale record");
  }
  process.kill(machine.process.pid, "SIGKILL");
});

/** Retries at once where the driver waits five seconds, and says when the disk was full. */
function fullDiskSurroundings() {
  const full = Promise.withResolvers<void>();
  const clock: Clock = {
    ...systemClock,
    after: (ms, task) => systemClock.after(ms === 5_000 ? 100 : ms, task),
  };
  const log: Log = { ...silentLog, warn: (_, message) => message.includes("full") && full.resolve() };
  return { clock, log, full: full.promise };
}

test("a full host disk stops the machine, and room on it lets it go on without a lost write", async () => {
  const { clock, log, full } = fullDiskSurroundings();
  const patient = await createQemuVmm({
    ...{ clock, log, cacheDirectory, accelerator: "tcg" },
    awaitBooted: () => Promise.reject(new Error("the snapshot is there already")),
  });
  const small = join(machines.directory, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m,mode=755", "none", small]);
  try {
    const spec = await machines.newSpec();
    const path = join(small, "overlay");
    execFileSync("mv", [spec.writable.path, path]);
    const machine = await start({ ...spec, writable: { ...spec.writable, path } }, patient);
    const write = "head -c 16777216 /dev/urandom >/big && sync && md5sum </big && cat /big | md5sum";
    const written = machines.shell(machine, write);
    await full;
    execFileSync("mount", ["-o", "remount,size=64m", small]);
    const [sum, again] = (await written).trim().split("\n");
    assert.match(sum ?? "", /^[0-9a-f]{32}/);
    assert.equal(again, sum);
    await machine.kill();
  } finally {
    execFileSync("umount", ["-l", small]);
  }
});

test("a damaged snapshot is made again, and two daemons make one", async () => {
  const cache = join(machines.directory, "cache");
  const made: object[] = [];
  // Of one that is made, not of what is removed.
  const info: Log["info"] = (fields) => {
    if (typeof fields === "object" && "key" in fields) made.push(fields);
  };
  const log: Log = { ...silentLog, info };
  const options = { clock: systemClock, log, cacheDirectory: cache, accelerator: "tcg" } as const;
  const newVmm = () => createQemuVmm({ ...options, awaitBooted: machines.awaitBooted });
  const shape = { vcpus: 1, memoryMb: 128 };
  const pair = [await newVmm(), await newVmm()];
  await Promise.all(pair.map((each) => each.prepare(machines.boot, shape, never)));
  assert.equal(made.length, 1);
  const [name, ...others] = readdirSync(join(cache, "boot"));
  assert.deepEqual(others, []);
  const state = join(cache, "boot", name ?? "", "state");
  const bytes = readFileSync(state);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(`${state}.new`, bytes);
  renameSync(`${state}.new`, state);
  const machine = await start({ ...(await machines.newSpec()), shape }, pair[0]);
  assert.equal(made.length, 2);
  await machines.greetAgent(machine);
  await machine.kill();
  // Makes room for a new one by what was long unused.
  const meta = join(cache, "boot", name ?? "", "meta.json");
  const longAgo = new Date(Date.now() - 15 * 24 * 3_600_000);
  utimesSync(meta, longAgo, longAgo);
  await pair[0]?.prepare(machines.boot, { vcpus: 1, memoryMb: 160 }, never);
  assert.equal(made.length, 3);
  assert.ok(!existsSync(meta), "an unused snapshot is left");
});

test("a kernel that does not come up is one sentence with its console as the cause, and leaves nothing", async () => {
  const cache = join(machines.directory, "bad-cache");
  const empty = join(machines.directory, "empty.cpio");
  writeFileSync(empty, "");
  const options = { clock: systemClock, log: silentLog, cacheDirectory: cache, accelerator: "tcg" } as const;
  const other = await createQemuVmm({ ...options, awaitBooted: machines.awaitBooted });
  const boot = { ...machines.boot, id: "without-init", initramfsPath: empty };
  await assert.rejects(other.prepare(boot, { vcpus: 1, memoryMb: 128 }, never), (error: Error) => {
    assert.match(error.message, /^boot kernel without-init: the guest ended: kernel panic: .*$/);
    assert.match(String((error.cause as Error).message), /its console: [\s\S]*Kernel panic/);
    return true;
  });
  await assert.rejects(
    other.prepare(machines.boot, { vcpus: 1, memoryMb: 48 }, never),
    (error: UniError) => error.code === "memory_too_small" && /with 48 MB/.test(error.message),
  );
  assert.deepEqual(readdirSync(join(cache, "boot")), []);
});
