import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSizeMb } from "./sizes.ts";

test("sizes in MiB", () => {
  for (const [text, expected] of [
    ["256", 256],
    ["256M", 256],
    ["256mb", 256],
    ["256 MiB", 256],
    ["1G", 1024],
    ["1.5g", 1536],
    ["2048K", 2],
    ["1K", undefined],
    ["", undefined],
    ["-1M", undefined],
    ["1e3", undefined],
    ["M", undefined],
    ["1.0.0M", undefined],
  ] as const) {
    assert.equal(parseSizeMb(text), expected, text);
  }
});
