/** Programs as operators write them: real ones, in namespaces of their own as in the daemon. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";
import { runDnsHook } from "./dns-hook.ts";

enterOwnNamespaces();
const directory = mkdtempSync(join(tmpdir(), "hook-"));
after(() => rmSync(directory, { recursive: true }));
const record = { fqdn: "_acme-challenge.example.com", value: "a-b_c" };

function program(text: string): string {
  const path = join(directory, "hook");
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("it gets the act, the name and the value as its arguments", async () => {
  const out = join(directory, "out");
  await runDnsHook(program(`printf '%s|' "$@" >${out}`), "present", record);
  assert.equal(readFileSync(out, "utf8"), "present|_acme-challenge.example.com|a-b_c|");
});

test("one that fails is told in its own words, one that is not there by name", async () => {
  const failing = program("echo 'no such zone' >&2; exit 3");
  await assert.rejects(runDnsHook(failing, "cleanup", record), {
    code: "acme_failed",
    message: `run the DNS hook '${failing} cleanup _acme-challenge.example.com': exit status 3: no such zone`,
  });
  await assert.rejects(runDnsHook("/nonexistent/hook", "present", record), /nonexistent.*No such file/);
});

test("one that hangs is ended with all that it started", async () => {
  const hanging = program("sleep 1000 & wait");
  await assert.rejects(runDnsHook(hanging, "present", record, { timeoutMs: 500 }), /not done within 0.5 s/);
  assert.equal(spawnSync("pgrep", ["-f", "sleep 1000"], { encoding: "utf8" }).stdout, "");
});
