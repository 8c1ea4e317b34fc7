import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { bundleDirectory, namesIn } from "./bundle.ts";
import { makeTestCache } from "./test-bundles.ts";

const unused = () => [];

test("the newest distribution kernel is the current one, until another is chosen", async (t) => {
  const cache = await makeTestCache(t);
  await cache.add("6.1.9-1");
  await cache.add("6.1.10-1");
  await cache.add("6.1.10-1-lean.0", "lean");
  const kernels = await cache.kernels("one");
  assert.equal((await kernels.current()).version, "6.1.10-1");
  assert.equal((await kernels.use("6.1.9-1")).selected, true);
  assert.equal((await kernels.current()).version, "6.1.9-1");
  assert.deepEqual(
    (await kernels.list()).map(({ version, selected }) => [version, selected]),
    [
      ["6.1.10-1-lean.0", false],
      ["6.1.10-1", false],
      ["6.1.9-1", true],
    ],
  );
});

test("the choice is the daemon's own and outlives it", async (t) => {
  const cache = await makeTestCache(t);
  await cache.add("1-1");
  await cache.add("2-1");
  await (await cache.kernels("one")).use("1-1");
  assert.equal((await (await cache.kernels("one")).current()).version, "1-1");
  assert.equal((await (await cache.kernels("two")).current()).version, "2-1");
});

for (const version of ["9-9", "", "..", ".leases", "../1-1", "1-1/"]) {
  test(`there is no kernel ${JSON.stringify(version)}`, async (t) => {
    const cache = await makeTestCache(t);
    await cache.add("1-1");
    const kernels = await cache.kernels("one");
    const expected = { code: "kernel_not_found", hint: /1-1/ };
    await assert.rejects(kernels.use(version), expected);
    await assert.rejects(kernels.bootFiles(version), expected);
    await assert.rejects(kernels.remove(version, unused), expected);
  });
}

test("a damaged bundle is neither chosen nor booted", async (t) => {
  const cache = await makeTestCache(t);
  await cache.add("1-1");
  await writeFile(join(bundleDirectory(cache.cacheDirectory, "1-1"), "vmlinux"), "kernel 1-2");
  const kernels = await cache.kernels("one");
  await assert.rejects(kernels.use("1-1"), { code: "digest_mismatch" });
  await assert.rejects(kernels.bootFiles("1-1"), { code: "digest_mismatch" });
});

test("what is in use is not removed, and all that belongs to a removed one goes", async (t) => {
  const cache = await makeTestCache(t);
  for (const version of ["1-1", "2-1"]) await cache.add(version);
  const kernels = await cache.kernels("one");
  const { initramfsPath } = await kernels.bootFiles("1-1");
  await assert.rejects(kernels.remove("2-1", unused), { code: "in_use", hint: /uni kernel use/ });
  await assert.rejects(
    kernels.remove("1-1", (version) => (version === "1-1" ? ["web"] : [])),
    { code: "in_use", message: /web/ },
  );
  await kernels.remove("1-1", unused);
  assert.deepEqual(
    (await kernels.list()).map(({ version }) => version),
    ["2-1"],
  );
  assert.deepEqual(await namesIn(join(initramfsPath, "..")), []);
  await assert.rejects(kernels.bootFiles("1-1"), { code: "kernel_not_found" });
});

test("a kernel that another living daemon boots is not removed", async (t) => {
  const cache = await makeTestCache(t);
  for (const version of ["1-1", "2-1"]) await cache.add(version);
  await (await cache.kernels("other")).bootFiles("1-1");
  const kernels = await cache.kernels("one");
  await assert.rejects(kernels.remove("1-1", unused), { code: "in_use", message: /the daemon of .*other/ });
  await rm(join(cache.directory, "other"), { recursive: true });
  await kernels.remove("1-1", unused);
});
