/** The other side of the comparison: QEMU restoring the files of a capture, driven by hand with the driver's own arguments. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemClock as clock } from "../../packages/daemon/src/base/clock.ts";
import { waitUntilEnded } from "../../packages/daemon/src/host/process-end.ts";
import { signalProcess } from "../../packages/daemon/src/host/process-identity.ts";
import { backingChain } from "../../packages/daemon/src/host/qcow2.ts";
import type { MachineSpec } from "../../packages/daemon/src/vmm/port.ts";
import { hostArchitecture } from "../../packages/daemon/src/vmm/qemu/architecture.ts";
import { commandLine } from "../../packages/daemon/src/vmm/qemu/command-line.ts";
import { findNativeDirectory } from "../../packages/daemon/src/vmm/qemu/host-facts.ts";
import {
  connectLaunched,
  inputDescriptor,
  launch,
  tapDescriptor,
} from "../../packages/daemon/src/vmm/qemu/launch.ts";
import { publishPreload } from "../../packages/daemon/src/vmm/qemu/preload.ts";
import { makePlaces } from "../../packages/daemon/src/vmm/qemu/record.ts";
import { readSleepMeta, sleepSnapshotFiles } from "../../packages/daemon/src/vmm/qemu/sleep-snapshot.ts";

export interface BareMachine {
  readonly ms: number;
  readonly pid: number;
  end(): Promise<void>;
}

/** From nothing to a guest that runs. */
export async function bareRestore(
  spec: Omit<MachineSpec, "boot">,
  snapshot: string,
  cacheDirectory: string,
): Promise<BareMachine> {
  const meta = readSleepMeta(snapshot);
  if (typeof meta === "string") throw new Error(`the snapshot is ${meta}`);
  const accelerator = meta.madeBy.accelerator;
  const { state, delta, index } = sleepSnapshotFiles(snapshot);
  const ramPath = join(cacheDirectory, "boot", meta.base.key, "ram");
  const architecture = hostArchitecture();
  const nativeDirectory = findNativeDirectory();
  const preload = await publishPreload(cacheDirectory, nativeDirectory);
  mkdirSync(spec.directory, { recursive: true });
  const files = makePlaces(spec.directory, spec.uid);
  const backing = backingChain(spec.writable.path, 10);
  const signal = AbortSignal.timeout(60_000);
  const began = performance.now();
  const launched = await launch({
    ...{ attempted: "restore", nativeDirectory, program: architecture.program, uid: spec.uid, accelerator },
    ...{ readOnlyRam: { path: ramPath, preload }, inputs: [state, delta, index], deltas: 1 },
    tap: spec.network.tap,
    ...{ logPath: files.log, cwd: files.run },
    args: commandLine({
      ...{ architecture, accelerator, shape: spec.shape, name: "bare", files },
      from: {
        kind: "restore",
        ramPath,
        stateDescriptor: inputDescriptor,
        tapDescriptor,
        spec,
        backing,
        romSlots: [],
      },
    }),
  });
  const qmp = await connectLaunched(launched, files.qmp, clock, () => {}, signal);
  for (;;) {
    const { status } = (await qmp.execute("query-status")) as { status: string };
    if (status !== "inmigrate") break;
    await clock.sleep(1);
  }
  await qmp.execute("cont");
  const ms = performance.now() - began;
  return {
    ms,
    pid: launched.process.pid,
    async end() {
      qmp.close();
      signalProcess(launched.process, "SIGKILL");
      await waitUntilEnded(launched.process, clock, 10_000);
      rmSync(spec.directory, { recursive: true, force: true });
    },
  };
}
