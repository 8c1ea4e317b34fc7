/** What a capture costs its source, and what a machine that is made of it costs: figures of the issue "snapshots as a tool". */
import { join } from "node:path";
import type { CaptureTarget, Machine, MachineSpec } from "../../packages/daemon/src/vmm/port.ts";
import { cacheDirectory } from "../kit/boot-files.ts";
import { type QemuMachines, qemuMachines } from "../kit/qemu-machines.ts";
import { type BareMachine, bareRestore } from "./bare-restore.ts";
import { pssBytes } from "./host-memory.ts";
import { median } from "./median.ts";

type Report = (what: string, value: number, unit: string, atMost?: number) => void;

const never = new AbortController().signal;
const clones = 20;
const sizesMb = [128, 256, 512, 1024];
/** Writes into 16 MiB of its memory and onto its disk all the time. */
const work = "while :; do head -c 16777216 /dev/urandom >/mem/load; echo line >>/log; done";

export async function snapshotFigures(report: Report, rounds: number): Promise<void> {
  const machines = await qemuMachines();
  try {
    const vmm = await machines.newVmm();
    for (const memoryMb of sizesMb) {
      const shape = { vcpus: 1, memoryMb };
      await vmm.prepare(machines.boot, shape, never);
      const spec = { ...(await machines.newSpec()), shape };
      const machine = await vmm.start(spec, never);
      await machines.remember(machine, "");
      await machines.shell(machine, `(${work}) >/dev/null 2>&1 </dev/null & sleep 1`);
      const pauses: number[] = [];
      for (let round = 0; round < rounds; round += 1)
        pauses.push((await capture(machines, machine, spec, round)).ms);
      await machine.kill();
      report(`capture of a live guest, ${memoryMb} MiB: pause, median`, median(pauses), "ms", 60);
    }
    await cloneFigures(machines, report, rounds);
  } finally {
    await machines.close();
  }
}

async function capture(
  machines: QemuMachines,
  machine: Machine,
  spec: MachineSpec,
  round: number,
): Promise<{ readonly ms: number; readonly target: CaptureTarget }> {
  const directory = join(machines.directory, `${spec.id}-${round}`);
  const target = { directory, ...(await machines.prepareNext(spec)) };
  const capturing = await machine.capture(target, never);
  const began = performance.now();
  await machine.pause();
  await capturing.take(never);
  await machine.resume();
  const ms = performance.now() - began;
  await capturing.publish(never);
  await machines.completeSwitch(spec);
  return { ms, target };
}

async function cloneFigures(machines: QemuMachines, report: Report, rounds: number): Promise<void> {
  const vmm = await machines.newVmm();
  const shape = { vcpus: 1, memoryMb: 128 };
  const spec = { ...(await machines.newSpec()), shape };
  const source = await vmm.start(spec, never);
  await machines.remember(source, "");
  const { target } = await capture(machines, source, spec, 0);
  await source.kill();
  const cloneSpec = async () => ({ ...(await machines.cloneSpec(target.disk)), shape });
  const ours = async () => {
    const own = await cloneSpec();
    const began = performance.now();
    const machine = await vmm.resume(own, target.directory, never);
    await machine.resume();
    return { ms: performance.now() - began, pid: machine.process.pid, end: () => machine.kill() };
  };
  const theirs = async () => bareRestore(await cloneSpec(), target.directory, cacheDirectory);
  const times = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < rounds * 3; round += 1) {
    for (const [name, make] of [["ours", ours] as const, ["theirs", theirs] as const]) {
      const made = await make();
      times[name].push(made.ms);
      await made.end();
    }
  }
  report("machine of a capture, 128 MiB: until it runs, median", median(times.ours), "ms", 80);
  report("machine of a capture: bare QEMU with the same files, median", median(times.theirs), "ms");
  report("machine of a capture: ratio", median(times.ours) / median(times.theirs), "", 1.5);

  const memory = { ours: 0, theirs: 0 };
  for (const [name, make] of [["ours", ours] as const, ["theirs", theirs] as const]) {
    const all: Pick<BareMachine, "pid" | "end">[] = [];
    for (let count = 0; count < clones; count += 1) all.push(await make());
    memory[name] = median(all.map(({ pid }) => pssBytes(pid))) / 2 ** 20;
    await Promise.all(all.map(({ end }) => end()));
  }
  report(`${clones} of a capture, idle: memory each (PSS)`, memory.ours, "MiB");
  report(`${clones} of a capture, idle: ratio to bare QEMU's`, memory.ours / memory.theirs, "", 1.2);
}
