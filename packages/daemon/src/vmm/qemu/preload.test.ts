import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { publishPreload } from "./preload.ts";

test("the library is published where any user may read it, once per content", async () => {
  const directory = mkdtempSync(join(tmpdir(), "uni-preload-"));
  try {
    const native = join(directory, "private");
    const cache = join(directory, "cache");
    mkdirSync(native);
    writeFileSync(join(native, "preload.so"), "first");
    chmodSync(native, 0o700);
    const first = await publishPreload(cache, native);
    assert.equal(readFileSync(first, "utf8"), "first");
    assert.equal(statSync(first).mode & 0o777, 0o444);
    assert.equal(statSync(cache).mode & 0o777, 0o755);
    assert.equal(await publishPreload(cache, native), first);
    writeFileSync(join(native, "preload.so"), "second");
    assert.notEqual(await publishPreload(cache, native), first);
    assert.equal(readFileSync(first, "utf8"), "first");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
