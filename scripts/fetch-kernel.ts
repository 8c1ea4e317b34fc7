/** Fetches the distribution's kernel into the cache and makes its boot files, if they are not there. */
import { join } from "node:path";
import { systemClock } from "../packages/daemon/src/base/clock.ts";
import { silentLog } from "../packages/daemon/src/base/log.ts";
import { createKernels } from "../packages/daemon/src/kernels/kernels.ts";

const root = join(import.meta.dirname, "..");
const cacheDirectory = process.env["UNI_CACHE_DIR"] ?? "/var/cache/uni";

const kernels = createKernels({
  clock: systemClock,
  log: silentLog,
  cacheDirectory,
  // Nothing is selected there: the newest one of the distribution is taken.
  dataDirectory: join(cacheDirectory, "no-daemon"),
  agentPath: join(root, "build/guest/init"),
});
const { version } = await kernels.current();
await kernels.bootFiles(version);
console.log(`kernel ${version}: there`);
