import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { kernelsDirectory, namesIn } from "./bundle.ts";
import { otherLeases, takeLease } from "./leases.ts";
import { makeTestCache } from "./test-bundles.ts";

test("leases of daemons whose data is gone disappear; one's own does not count", async (t) => {
  const { cacheDirectory, directory } = await makeTestCache(t);
  const [one, two] = [join(directory, "one"), join(directory, "two")];
  for (const daemon of [one, two]) {
    await mkdir(daemon);
    await takeLease(cacheDirectory, "1-1", daemon);
    await takeLease(cacheDirectory, "1-1", daemon);
  }
  assert.deepEqual(await otherLeases(cacheDirectory, "1-1", one), [two]);
  await rm(two, { recursive: true });
  await takeLease(cacheDirectory, "1-1", one);
  const left = await namesIn(join(kernelsDirectory(cacheDirectory), ".leases", "1-1"));
  assert.equal(left.length, 1);
  assert.deepEqual(await otherLeases(cacheDirectory, "1-1", one), []);
});
