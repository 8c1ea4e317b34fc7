import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { cliVersion } from "./version.ts";

test("the version is the package's", () => {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  assert.equal(cliVersion, (JSON.parse(text) as { version: string }).version);
});
