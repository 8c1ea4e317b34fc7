import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { identify } from "../host/process-identity.ts";
import { claimDataDirectory, requireWritable } from "./data-directory.ts";

function temporary(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "data-"));
  chmodSync(directory, 0o755);
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const fails = (code: string, pattern: RegExp) => (error: UniError) =>
  error.code === code && pattern.test(error.message) && error.hint !== undefined;

test("makes the directories, which VMMs pass through and nobody but root reads", async (context) => {
  const directory = join(temporary(context), "deep", "data");
  await claimDataDirectory(directory);
  for (const path of [directory, join(directory, "instances"), join(directory, "vm")]) {
    assert.equal(statSync(path).mode & 0o777, 0o711, path);
  }
  await requireWritable(directory);
  assert.equal(existsSync(join(directory, "claim.lock")), false);
});

test("a daemon that runs keeps its directory, one that is gone does not", async (context) => {
  const directory = temporary(context);
  const other = identify(process.ppid);
  const pidFile = join(directory, "unid.pid");
  writeFileSync(pidFile, `${other?.pid} ${other?.startTicks}\n`);
  await assert.rejects(
    claimDataDirectory(directory),
    fails("in_use", new RegExp(`process id ${process.ppid} `)),
  );
  // The number was given to another process since.
  writeFileSync(pidFile, `${other?.pid} 1\n`);
  await claimDataDirectory(directory);
  assert.match(readFileSync(pidFile, "utf8"), new RegExp(`^${process.pid} \\d+\n$`));
  await claimDataDirectory(directory);
  writeFileSync(pidFile, "torn");
  await claimDataDirectory(directory);
});

test("a directory behind one that others may not pass through is refused", async (context) => {
  const parent = join(temporary(context), "private");
  mkdirSync(parent, { mode: 0o700 });
  await assert.rejects(
    claimDataDirectory(join(parent, "data")),
    fails("host_unfit", /may not pass through .*private/),
  );
});

test("a file in its place is refused", async (context) => {
  const path = join(temporary(context), "file");
  writeFileSync(path, "");
  await assert.rejects(claimDataDirectory(path), fails("host_unfit", /no directory/));
});

test("a place where nothing can be made is refused, not asked without end", async () => {
  for (const path of ["/proc/foo", "/proc/foo/bar"]) {
    await assert.rejects(claimDataDirectory(path), fails("host_unfit", /\/proc\/foo/));
  }
});
