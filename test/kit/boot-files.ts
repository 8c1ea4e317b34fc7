/**
 * The kernel and agent that the daemon would boot, for tests of single rooms: the bundle in the cache named by
 * UNI_CACHE_DIR, fetched from the distribution if there is none, with the agent of this checkout.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createKernels } from "../../packages/daemon/src/kernels/kernels.ts";
import type { BootFiles } from "../../packages/daemon/src/vmm/port.ts";

const root = join(import.meta.dirname, "../..");

export const cacheDirectory: string = process.env["UNI_CACHE_DIR"] ?? "/var/cache/uni";

export async function bootFiles(): Promise<BootFiles> {
  for (const part of ["guest", "vmm"]) execFileSync("make", ["-s", "-C", join(root, "native", part)]);
  const kernels = createKernels({
    clock: systemClock,
    log: silentLog,
    cacheDirectory,
    // It does not exist, so the lease that the tests take on a kernel counts for nothing.
    dataDirectory: "/nonexistent/uni-test",
    agentPath: join(root, "build/guest/init"),
    leanConfigPath: join(root, "native/kernel/lean.config"),
  });
  const { version } = await kernels.current();
  return kernels.bootFiles(version);
}
