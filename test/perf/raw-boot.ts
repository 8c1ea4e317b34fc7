/** The other side of the comparison: QEMU booting the same kernel and initramfs, with the driver's own arguments, until the agent answers. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createGuestConnector } from "../../packages/daemon/src/guest/connector.ts";
import { createKernels } from "../../packages/daemon/src/kernels/kernels.ts";
import type { MachineShape } from "../../packages/daemon/src/vmm/port.ts";
import { hostArchitecture, type RealAccelerator } from "../../packages/daemon/src/vmm/qemu/architecture.ts";
import { bootGuest } from "../../packages/daemon/src/vmm/qemu/boot-guest.ts";
import { findNativeDirectory, hostFacts } from "../../packages/daemon/src/vmm/qemu/host-facts.ts";

const root = join(import.meta.dirname, "../..");
const bootDeadlineMs = 120_000;

/** Returns a function that boots once and tells the milliseconds. */
export async function rawBoots(
  directory: string,
  cacheDirectory: string,
  accelerator: RealAccelerator,
  shape: MachineShape,
): Promise<() => Promise<number>> {
  const kernels = createKernels({
    clock: systemClock,
    log: silentLog,
    cacheDirectory,
    dataDirectory: join(cacheDirectory, "no-daemon"),
    agentPath: join(root, "build/guest/init"),
    leanConfigPath: join(root, "native/kernel/lean.config"),
  });
  const { version } = await kernels.current();
  const boot = await kernels.bootFiles(version);
  const architecture = hostArchitecture();
  const nativeDirectory = findNativeDirectory();
  const { awaitBooted } = createGuestConnector({ clock: systemClock, log: silentLog });
  const kernelArguments = await architecture.kernelArguments(
    accelerator,
    hostFacts(cacheDirectory, nativeDirectory),
  );
  const options = { clock: systemClock, architecture, program: architecture.program, accelerator };
  let round = 0;
  return async () => {
    round += 1;
    const own = join(directory, `raw-${round}`);
    const signal = AbortSignal.timeout(bootDeadlineMs);
    const started = performance.now();
    const guest = await bootGuest(
      {
        ...options,
        ...{ nativeDirectory, boot, shape, kernelArguments, awaitBooted },
        directory: own,
      },
      signal,
    );
    try {
      await guest.booted(signal);
      return performance.now() - started;
    } finally {
      await guest.kill();
      rmSync(own, { recursive: true, force: true });
    }
  };
}
