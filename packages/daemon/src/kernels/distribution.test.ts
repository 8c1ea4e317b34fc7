/** The real thing: the distribution's package from the machine's apt sources, unless the cache has the bundle already. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { architectureOf } from "./architectures.ts";
import { bundleDirectory, verifyBundle } from "./bundle.ts";
import { requirePvhEntry } from "./elf-entry.ts";
import { createKernels } from "./kernels.ts";
import { neededModules } from "./modules.ts";

const cacheDirectory = process.env["UNI_CACHE_DIR"] ?? "/var/cache/uni";

test("the distribution's kernel becomes a bundle that QEMU can boot", { timeout: 300_000 }, async (t) => {
  const dataDirectory = await mkdtemp(join(tmpdir(), "uni-kernels-"));
  t.after(() => rm(dataDirectory, { recursive: true }));
  const bundle = await createKernels({
    clock: systemClock,
    log: silentLog,
    cacheDirectory,
    dataDirectory,
    agentPath: join(dataDirectory, "none"),
    leanConfigPath: join(dataDirectory, "none"),
  }).current();
  assert.equal(bundle.flavour, "distribution");
  await verifyBundle(cacheDirectory, bundle);
  const directory = bundleDirectory(cacheDirectory, bundle.version);
  if (architectureOf().format === "elf") requirePvhEntry(await readFile(join(directory, "vmlinux")));
  const order = (await readFile(join(directory, "modules/order"), "utf8")).trim().split("\n");
  for (const name of order) {
    const module = await readFile(join(directory, "modules", name));
    assert.equal(module.toString("latin1", 0, 4), "\x7fELF", name);
  }
  const builtIn = neededModules.filter((name) => !order.includes(`${name}.ko`));
  assert.deepEqual(builtIn, ["ext4"]);
});
