/** Kernels over a cache of made-up bundles, for tests. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { publishBundle } from "./bundle.ts";
import type { Bundle, Flavour } from "./kernel.ts";
import { createKernels, type Kernels } from "./kernels.ts";
import { wantedModules } from "./modules.ts";

export interface TestCache {
  readonly directory: string;
  readonly cacheDirectory: string;
  readonly agentPath: string;
  add(version: string, flavour?: Flavour): Promise<Bundle>;
  /** The kernels of a daemon of this name. */
  kernels(daemon: string): Promise<Kernels>;
}

export async function makeTestCache(t: TestContext): Promise<TestCache> {
  const directory = await mkdtemp(join(tmpdir(), "uni-kernels-"));
  t.after(() => rm(directory, { recursive: true }));
  const [cacheDirectory, agentPath] = [join(directory, "cache"), join(directory, "agent")];
  await writeFile(agentPath, "agent");
  return {
    directory,
    cacheDirectory,
    agentPath,
    add: (version, flavour = "distribution") =>
      publishBundle(cacheDirectory, {
        version,
        flavour,
        source: `linux=${version}`,
        createdAt: new Date(0),
        kernel: Buffer.from(`kernel ${version}`),
        wantedModules,
        modules: [{ name: "virtio.ko", content: Buffer.from("module") }],
      }),
    async kernels(daemon) {
      const dataDirectory = join(directory, daemon);
      await mkdir(dataDirectory, { recursive: true });
      const leanConfigPath = join(import.meta.dirname, "../../../../native/kernel/lean.config");
      const shared = { clock: systemClock, log: silentLog, cacheDirectory, agentPath, leanConfigPath };
      return createKernels({ ...shared, dataDirectory });
    },
  };
}
