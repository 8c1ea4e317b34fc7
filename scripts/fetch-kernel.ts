/** Fetches the distribution's kernel into the cache (UNI_CACHE_DIR), unless one is there: tests run without a network. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { systemClock } from "../packages/daemon/src/base/clock.ts";
import { silentLog } from "../packages/daemon/src/base/log.ts";
import { createKernels } from "../packages/daemon/src/kernels/kernels.ts";

const dataDirectory = await mkdtemp(join(tmpdir(), "uni-fetch-kernel-"));
try {
  const { version } = await createKernels({
    clock: systemClock,
    log: silentLog,
    cacheDirectory: process.env["UNI_CACHE_DIR"] ?? "/var/cache/uni",
    dataDirectory,
    agentPath: "",
    leanConfigPath: "",
  }).current();
  console.log(`kernel ${version}: there`);
} catch (error) {
  if (!(error instanceof UniError)) throw error;
  console.error(`fetch-kernel: ${error.message}${error.hint ? `\n${error.hint}` : ""}`);
  process.exitCode = 1;
} finally {
  await rm(dataDirectory, { recursive: true });
}
