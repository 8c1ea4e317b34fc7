import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  bundleDirectory,
  kernelsDirectory,
  listBundles,
  namesIn,
  removeAsides,
  verifyBundle,
} from "./bundle.ts";
import { makeTestCache } from "./test-bundles.ts";

test("rivals that make the same bundle both get it, and nothing is left aside", async (t) => {
  const { add, cacheDirectory } = await makeTestCache(t);
  const [one, two] = await Promise.all([add("1-1"), add("1-1")]);
  assert.equal(one.digest, two.digest);
  await verifyBundle(cacheDirectory, one);
  assert.deepEqual(await namesIn(kernelsDirectory(cacheDirectory)), ["1-1"]);
});

test("the digest covers names, order and contents", async (t) => {
  const { add, cacheDirectory } = await makeTestCache(t);
  const bundle = await add("1-1");
  const directory = bundleDirectory(cacheDirectory, "1-1");
  const order = await readFile(join(directory, "modules/order"));
  for (const [path, content] of [
    ["modules/order", "other.ko\n"],
    ["modules/extra.ko", "extra"],
  ] as const) {
    await writeFile(join(directory, path), content);
    await assert.rejects(verifyBundle(cacheDirectory, bundle), { code: "digest_mismatch" }, path);
    await writeFile(join(directory, "modules/order"), order);
  }
});

test("a half-made bundle, with no bundle.json or a foreign one, is none", async (t) => {
  const { add, cacheDirectory } = await makeTestCache(t);
  await add("1-1");
  await mkdir(bundleDirectory(cacheDirectory, "2-1"));
  await mkdir(bundleDirectory(cacheDirectory, "3-1"));
  await writeFile(
    join(bundleDirectory(cacheDirectory, "3-1"), "bundle.json"),
    await readFile(join(bundleDirectory(cacheDirectory, "1-1"), "bundle.json")),
  );
  assert.deepEqual(
    (await listBundles(cacheDirectory)).map(({ version }) => version),
    ["1-1"],
  );
  await add("2-1");
  assert.equal((await listBundles(cacheDirectory)).length, 2);
});

test("what a crash left aside is removed, bundles stay", async (t) => {
  const { add, cacheDirectory } = await makeTestCache(t);
  await add("1-1");
  for (const name of [".aside-1", ".gone-2"]) {
    await mkdir(join(kernelsDirectory(cacheDirectory), name, "deep"), { recursive: true });
  }
  await removeAsides(cacheDirectory);
  assert.deepEqual(await namesIn(kernelsDirectory(cacheDirectory)), ["1-1"]);
});

for (const version of ["", "..", "a/b", ".hidden", "1:2-3"]) {
  test(`no bundle is made with the version ${JSON.stringify(version)}`, async (t) => {
    const { add } = await makeTestCache(t);
    await assert.rejects(add(version), /unusable version/);
  });
}
