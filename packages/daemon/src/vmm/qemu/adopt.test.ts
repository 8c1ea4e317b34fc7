/** Machines that an older daemon left, and that were started otherwise than this one starts them. */
import assert from "node:assert/strict";
import { existsSync, readlinkSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { cacheDirectory } from "../../../../../test/kit/boot-files.ts";
import { machinesForFile } from "../../../../../test/kit/qemu-machines.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import type { Machine, MachineSpec, Vmm } from "../port.ts";
import { hostArchitecture } from "./architecture.ts";
import { createQemuVmm } from "./driver.ts";
import { placesIn } from "./record.ts";

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

test("a machine that an older daemon started in the root directory sleeps to disk and ends, and is captured after that", async () => {
  const { spec, machine } = await adoptFrom(await olderVmm(), "from before");
  // It did not have these.
  for (const socket of Object.values(placesIn(spec.directory).ahead)) rmSync(socket);
  const target = async (name: string) => ({
    directory: join(dirname(spec.directory), name),
    ...(await machines.prepareNext(spec)),
  });
  const refused = await target("refused");
  await assert.rejects(
    machine.capture(refused, never),
    (error: UniError) =>
      error.code === "wrong_state" && /earlier version/.test(error.message) && /sleep/.test(error.hint ?? ""),
  );
  assert.equal(existsSync(refused.directory), false);
  await machines.completeSwitch(spec);

  await machine.pause();
  await machine.suspend(`${spec.directory}-sleep`, never);
  await machine.kill();
  assert.deepEqual(await machine.exited, { kind: "killed" });
  const woken = machines.keep(await vmm.resume(spec, `${spec.directory}-sleep`, never));
  assert.equal(workingDirectory(woken), realpathSync(join(spec.directory, "run")));
  await woken.resume();
  assert.equal(await machines.recall(woken), "from before");

  const taken = await target("captured");
  const capture = await woken.capture(taken, never);
  await woken.pause();
  await capture.take(never);
  await capture.publish(never);
  await machines.completeSwitch(spec);
  const clone = machines.keep(await vmm.resume(await machines.cloneSpec(taken.disk), taken.directory, never));
  await clone.resume();
  assert.equal(await machines.recall(clone), "from before");
});
