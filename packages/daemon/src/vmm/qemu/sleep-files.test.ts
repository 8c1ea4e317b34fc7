/** What only QEMU can show of a sleeper: its disk and clock, a full host disk, and the boot snapshot that it stands on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  watch,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { cacheDirectory } from "../../../../../test/kit/boot-files.ts";
import { machinesForFile } from "../../../../../test/kit/qemu-machines.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import type { Machine, MachineSpec, Vmm } from "../port.ts";
import { createQemuVmm } from "./driver.ts";
import { asidePrefix } from "./record.ts";

const { machines, vmm } = await machinesForFile();
const never = new AbortController().signal;

const sleepOf = (spec: MachineSpec) => `${spec.directory}-sleep`;
const digestOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

async function start(spec: MachineSpec, by: Vmm = vmm): Promise<Machine> {
  const machine = await by.start(spec, never);
  machines.keep(machine);
  return machine;
}

async function toDisk(machine: Machine, spec: MachineSpec): Promise<void> {
  await machines.hangUp(machine);
  await machine.pause();
  await machine.suspend(sleepOf(spec), never);
  await machine.kill();
}

async function wake(spec: MachineSpec): Promise<Machine> {
  const machine = await vmm.resume(spec, sleepOf(spec), never);
  machines.keep(machine);
  await machine.resume();
  return machine;
}

/** Paths of the files that are mapped or open and lie in `directory`. */
function filesInUse({ process: { pid } }: Machine, directory: string): { mapped: string[]; open: string[] } {
  const isThere = (path: string) => path.startsWith(`${directory}/`);
  const mapped = readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .map((line) => line.slice(line.indexOf("/")))
    .filter(isThere);
  const descriptors = `/proc/${pid}/fd`;
  const open = readdirSync(descriptors).map((fd) => readlinkSync(join(descriptors, fd)));
  return { mapped, open: open.filter(isThere) };
}

test("the disk is whole while its machine sleeps, with what the guest had not written yet in its memory", async () => {
  const spec = await machines.newSpec();
  const machine = await start(spec);
  const sum = await machines.shell(
    machine,
    "head -c 1048576 /dev/urandom >/written && sync && md5sum </written",
  );
  const late = await machines.shell(
    machine,
    "head -c 1048576 /dev/urandom >/unwritten && md5sum </unwritten",
  );
  await toDisk(machine, spec);
  execFileSync("qemu-img", ["check", "-q", spec.writable.path]);
  const woken = await wake(spec);
  const read = "sync && echo 3 >/proc/sys/vm/drop_caches && md5sum </written && md5sum </unwritten";
  assert.equal(await machines.shell(woken, read), `${sum}${late}`);
  await woken.kill();
  execFileSync("qemu-img", ["check", "-q", spec.writable.path]);
});

test("timers go on after a nap, and a refresh sets the clock", async () => {
  const spec = await machines.newSpec();
  const machine = await start(spec);
  await machines.remember(machine, "");
  await machines.shell(
    machine,
    "(usleep 700000; touch /mem/rang) >/dev/null 2>&1 </dev/null & date -s @86400",
  );
  await toDisk(machine, spec);
  const woken = await wake(spec);
  const year = await machines.shell(woken, "while [ ! -e /mem/rang ]; do usleep 10000; done; date +%Y");
  assert.equal(Number(year), new Date().getUTCFullYear());
  await woken.kill();
});

test("a woken machine holds its files by their mappings alone, and changes none of them", async () => {
  const spec = await machines.newSpec();
  const machine = await start(spec);
  await machines.remember(machine, "");
  await toDisk(machine, spec);
  const delta = join(sleepOf(spec), "delta");
  const untouched = digestOf(delta);
  assert.equal(statSync(sleepOf(spec)).mode & 0o777, 0o700);
  for (const name of readdirSync(sleepOf(spec))) {
    const { mode, uid } = statSync(join(sleepOf(spec), name));
    assert.deepEqual([mode & 0o077, uid], [0, 0], name);
  }
  const woken = await wake(spec);
  await machines.shell(woken, "head -c 8388608 /dev/zero >/mem/blob");
  const { mapped, open } = filesInUse(woken, sleepOf(spec));
  assert.ok(mapped.length > 0 && mapped.every((path) => path === delta));
  assert.deepEqual(open, []);
  assert.equal(digestOf(delta), untouched);
  await woken.kill();
});

test("a full disk is no_space, leaves nothing, and the machine goes on", async () => {
  const small = join(machines.directory, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=755", "none", small]);
  try {
    const spec = { ...(await machines.newSpec()), directory: join(small, "m") };
    const machine = await start(spec);
    await machines.remember(machine, "kept");
    await machines.hangUp(machine);
    await machine.pause();
    const refuses = async (directory: string) => {
      await assert.rejects(machine.suspend(directory, never), (error) => {
        assert.ok(error instanceof UniError && error.hint);
        return error.code === "no_space";
      });
      assert.deepEqual(
        readdirSync(dirname(directory)).filter((name) => name.startsWith("sleep")),
        [],
      );
    };
    await refuses(join(small, "sleep"));
    // Now there is no room for the devices either, which QEMU itself writes.
    assert.throws(() => writeFileSync(join(small, "filling"), Buffer.alloc(4 << 20)), /ENOSPC/);
    await refuses(join(machines.directory, "sleep"));
    await machine.resume();
    assert.equal(await machines.recall(machine), "kept");
    await machine.kill();
  } finally {
    execFileSync("umount", [small]);
  }
});

test("a suspension that is aborted after it began leaves an earlier snapshot as it was", async () => {
  const spec = await machines.newSpec();
  const machine = await start(spec);
  await machines.remember(machine, "kept");
  await machines.hangUp(machine);
  await machine.pause();
  await machine.suspend(sleepOf(spec), never);
  const [parent, name] = [dirname(sleepOf(spec)), basename(sleepOf(spec))];
  const before = digestOf(join(sleepOf(spec), "meta.json"));
  const packet = new AbortController();
  const reason = new Error("a packet came");
  const watcher = watch(spec.directory, (_, changed) => {
    if (changed?.startsWith(asidePrefix)) packet.abort(reason);
  });
  await assert.rejects(machine.suspend(sleepOf(spec), packet.signal), reason).finally(() => watcher.close());
  assert.deepEqual(
    readdirSync(spec.directory).filter((entry) => entry.startsWith(asidePrefix)),
    [],
  );
  assert.deepEqual(
    readdirSync(parent).filter((entry) => entry.startsWith(name)),
    [name],
  );
  assert.deepEqual(
    readdirSync(spec.directory).filter((entry) => entry.startsWith(asidePrefix)),
    [],
  );
  assert.equal(digestOf(join(sleepOf(spec), "meta.json")), before);
  await machine.resume();
  assert.equal(await machines.recall(machine), "kept");
  await machine.kill();
});

test("half a snapshot of a daemon that died goes with the next suspension", async () => {
  const spec = await machines.newSpec();
  const machine = await start(spec);
  const half = join(spec.directory, `${asidePrefix}0000`);
  mkdirSync(half);
  await machines.hangUp(machine);
  await machine.pause();
  await machine.suspend(sleepOf(spec), never);
  assert.equal(existsSync(half), false);
  await machine.kill();
});

/** A cache of its own with the one boot snapshot that `spec` starts from. */
async function cacheFor(spec: MachineSpec): Promise<{ cache: string; boot: string }> {
  const machine = await start(spec);
  await toDisk(machine, spec);
  const { base } = JSON.parse(readFileSync(join(sleepOf(spec), "meta.json"), "utf8"));
  const cache = join(machines.directory, "cache");
  const boot = join(cache, "boot", base.key);
  mkdirSync(dirname(boot), { recursive: true });
  cpSync(join(cacheDirectory, "host-tsc-khz"), join(cache, "host-tsc-khz"));
  execFileSync("cp", ["-a", "--sparse=always", join(cacheDirectory, "boot", base.key), boot]);
  rmSync(join(boot, "leases"), { recursive: true, force: true });
  return { cache, boot };
}

function age(boot: string): void {
  const longAgo = new Date(Date.now() - 15 * 24 * 3_600_000);
  utimesSync(join(boot, "meta.json"), longAgo, longAgo);
}

test("what a machine or a sleeper stands on is kept; a sleeper whose ground is another's is told", async () => {
  const { cache, boot } = await cacheFor(await machines.newSpec());
  const own = await createQemuVmm({
    ...{ clock: systemClock, log: silentLog, cacheDirectory: cache, accelerator: "tcg" },
    awaitBooted: machines.awaitBooted,
  });
  const spec = await machines.newSpec();
  const machine = await start(spec, own);
  age(boot);
  await own.prepare(machines.boot, { vcpus: 1, memoryMb: 160 }, never);
  assert.ok(existsSync(boot), "it went under a running machine");
  await toDisk(machine, spec);
  age(boot);
  await own.prepare(machines.boot, { vcpus: 1, memoryMb: 192 }, never);
  assert.equal(own.checkSnapshot(sleepOf(spec)).state, "good");

  renameSync(boot, `${boot}-hidden`);
  assert.equal(own.checkSnapshot(sleepOf(spec)).state, "corrupt");
  renameSync(`${boot}-hidden`, boot);
  const kept = { meta: readFileSync(join(boot, "meta.json")), state: readFileSync(join(boot, "state")) };
  const another = Buffer.from(kept.state);
  another[100] = (another[100] ?? 0) ^ 1;
  const stateSha256 = createHash("sha256").update(another).digest("hex");
  writeFileSync(join(boot, "state"), another);
  writeFileSync(join(boot, "meta.json"), JSON.stringify({ ...JSON.parse(`${kept.meta}`), stateSha256 }));
  assert.equal(own.checkSnapshot(sleepOf(spec)).state, "corrupt");
  await assert.rejects(own.resume(spec, sleepOf(spec), never), /the boot snapshot that it stands on is gone/);

  rmSync(sleepOf(spec), { recursive: true });
  age(boot);
  await own.prepare(machines.boot, { vcpus: 1, memoryMb: 224 }, never);
  assert.ok(!existsSync(boot), "nobody stands on it any more");
});
