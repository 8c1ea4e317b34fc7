import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { type Log, silentLog } from "../../base/log.ts";
import { findProcesses } from "../../host/find-process.ts";
import { probeAccelerator } from "./probe.ts";

const boot = { id: "probe-test", kernelPath: "/nonexistent/kernel", initramfsPath: "/nonexistent/initramfs" };

/** Answers for its version and then does what the script says. */
function fakeQemu(directory: string, script: string): string {
  const path = join(directory, "qemu");
  const version = '[ "$1" = --version ] && { echo "QEMU emulator version 0.0 (test)"; exit; }';
  writeFileSync(path, `#!/bin/sh\n${version}\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function probeWith(script: string, mode: number | "no device" = 0o666) {
  const directory = mkdtempSync(join(tmpdir(), "probe-"));
  chmodSync(directory, 0o755);
  const cacheDirectory = join(directory, "cache");
  const device = join(directory, "kvm");
  if (mode !== "no device") {
    writeFileSync(device, "");
    chmodSync(device, mode);
  }
  const warned: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (details) => void warned.push(String((details as { err: unknown }).err)),
  };
  const options = {
    ...{ clock: systemClock, log, cacheDirectory, boot, device },
    qemuPath: fakeQemu(directory, script),
    awaitBooted: () => Promise.reject(new Error("no guest runs in this test")),
  };
  const first = await probeAccelerator(options);
  // The verdict is kept: a QEMU that would behave otherwise is not asked again.
  fakeQemu(directory, "exit 99");
  const second = await probeAccelerator(options);
  const left = existsSync(cacheDirectory) ? readdirSync(cacheDirectory) : [];
  rmSync(directory, { recursive: true });
  return { first, second, left, warned };
}

test("a QEMU that ends under KVM means TCG, with QEMU's words, asked once", async () => {
  const { first, second, left, warned } = await probeWith("echo 'kvm is broken here' >&2; exit 1");
  assert.equal(first.accelerator, "tcg");
  assert.match(first.reason, /^[^:\n]{1,80}$/, "one short sentence: QEMU's words are in the log");
  assert.match(warned.join("\n"), /kvm is broken here/);
  assert.deepEqual(second, first);
  assert.deepEqual(left, ["accelerator.json"]);
});

test("a QEMU that hangs under KVM means TCG, and is ended", async () => {
  const mark = `${200000 + process.pid}.25`;
  const { first, left, warned } = await probeWith(`exec sleep ${mark}`);
  assert.equal(first.accelerator, "tcg");
  assert.match(warned.join("\n"), /did not print a byte/);
  assert.deepEqual(left, ["accelerator.json"]);
  assert.deepEqual(findProcesses(mark), []);
});

test("without a device, or with one that only root may open, it is TCG at once, and the reason says what to do", async () => {
  const none = await probeWith("exit 1", "no device");
  assert.match(none.first.reason, /^there is no .*kvm$/);
  const forRoot = await probeWith("exit 1", 0o600);
  assert.match(forRoot.first.reason, /^only root may open .*kvm, .*: chgrp kvm .*kvm && chmod 660 .*kvm$/);
  for (const { first, left } of [none, forRoot]) {
    assert.equal(first.accelerator, "tcg");
    assert.deepEqual(left, [], "nothing is kept: it may be otherwise the next time");
  }
});
