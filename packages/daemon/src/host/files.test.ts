import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ensureDirectory } from "./files.ts";

test("rivals make one directory and its parents", async () => {
  const top = mkdtempSync(join(tmpdir(), "uni-files-"));
  try {
    for (let round = 0; round < 100; round += 1) {
      const path = join(top, `${round}`, "a", "b", "c");
      await Promise.all(Array.from({ length: 8 }, () => ensureDirectory(path, 0o750)));
      assert.equal(statSync(path).mode & 0o777, 0o750);
    }
  } finally {
    rmSync(top, { recursive: true });
  }
});
