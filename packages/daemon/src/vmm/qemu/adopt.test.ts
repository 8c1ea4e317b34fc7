/** Machines that an older daemon left, and that were started otherwise than this one starts them. */
import assert from "node:assert/strict";
import { readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { cacheDirectory } from "../../../../../test/kit/boot-files.ts";
import { machinesForFile } from "../../../../../test/kit/qemu-machines.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import type { Machine, MachineSpec, Vmm } from "../port.ts";
import { hostArchitecture } from "./architecture.ts";
import { createQemuVmm } from "./driver.ts";

const { machines, vmm } = await machinesForFile();
const never = new AbortController().signal;

const workingDirectory = ({ process: { pid } }: Machine) => readlinkSync(`/proc/${pid}/cwd`);

/** One that starts its machines in the root directory, as daemons did once. */
function olderVmm(): Promise<Vmm> {
  const qemuPath = join(machines.directory, "qemu-in-root");
  writeFileSync(qemuPath, `#!/bin/sh\ncd / && exec ${hostArchitecture().program} "$@"\n`, { mode: 0o755 });
  return createQemuVmm({
    ...{ clock: systemClock, log: silentLog, cacheDirectory, awaitBooted: machines.awaitBooted },
    ...{ accelerator: "tcg", qemuPath },
  });
}

async function adoptFrom(older: Vmm, text: string): Promise<{ spec: MachineSpec; machine: Machine }> {
  const spec = await machines.newSpec();
  const machine = machines.keep(await older.start(spec, never));
  assert.equal(workingDirectory(machine), "/");
  await machines.remember(machine, text);
  await machines.hangUp(machine);
  await machine.release();
  return { spec, machine: machines.keep((await vmm.adopt(spec.directory)) ?? assert.fail("not adopted")) };
}

test("a machine that an older daemon started in the root directory is captured, sleeps to disk and ends", async () => {
  const { spec, machine } = await adoptFrom(await olderVmm(), "from before");
  const directory = join(dirname(spec.directory), "captured");
  const next = await machines.prepareNext(spec);
  const capture = await machine.capture({ directory, ...next }, never);
  await machine.pause();
  await capture.take(never);
  await capture.publish(never);
  await machines.completeSwitch(spec);
  const clone = machines.keep(await vmm.resume(await machines.cloneSpec(next.disk), directory, never));
  await clone.resume();
  assert.equal(await machines.recall(clone), "from before");

  await machine.suspend(`${spec.directory}-sleep`, never);
  await machine.kill();
  assert.deepEqual(await machine.exited, { kind: "killed" });
  const woken = machines.keep(await vmm.resume(spec, `${spec.directory}-sleep`, never));
  assert.equal(workingDirectory(woken), realpathSync(join(spec.directory, "run")));
  await woken.resume();
  assert.equal(await machines.recall(woken), "from before");
});
