import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { uniMain } from "../../../test/kit/run-uni.ts";
import { Output } from "./output.ts";

test("output that cannot be written is a failure with its reason", () => {
  const full = openSync("/dev/full", "w");
  try {
    for (const args of [["--version"], ["completion", "bash"]]) {
      const { status, stderr } = spawnSync(process.execPath, [uniMain, ...args], {
        stdio: ["ignore", full, "pipe"],
        encoding: "utf8",
      });
      assert.deepEqual([status, stderr], [74, "Error: writing the output: no space left on device\n"]);
    }
  } finally {
    closeSync(full);
  }
});

test("a terminal that tells no width counts as 80 columns", () => {
  const stream = { isTTY: true, columns: 0, rows: 0, write: () => true, once: () => {} };
  const base = { format: "table", quiet: false, colour: false, stdout: stream, stderr: stream } as const;
  assert.equal(new Output({ ...base, env: {} }).width, 80);
  assert.equal(new Output({ ...base, env: { COLUMNS: "100" } }).width, 100);
  assert.equal(new Output({ ...base, env: {}, stdout: { ...stream, isTTY: false } }).width, undefined);
});
