import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { run, startResident } from "./process.ts";

const limit = (soft: string): string =>
  execFileSync(
    "prlimit",
    [
      "--pid",
      `${process.pid}`,
      ...(soft === "" ? [] : [`--nofile=${soft}:`]),
      "--nofile",
      "--noheadings",
      "-o",
      "SOFT",
    ],
    { encoding: "utf8" },
  ).trim();

/** `body` runs while nothing more can be opened. */
async function withoutDescriptors(body: () => Promise<void>): Promise<void> {
  const before = limit("");
  limit("200");
  const opened: number[] = [];
  try {
    for (;;) opened.push(openSync("/dev/null", "r"));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "EMFILE");
  }
  try {
    await body();
  } finally {
    for (const file of opened) closeSync(file);
    limit(before);
  }
}

test("out of descriptors a program is not started, which is said to who asked and to nobody else", async () => {
  await withoutDescriptors(async () => {
    await assert.rejects(run("true", []), { code: "failed", message: /start true: .*EMFILE/ });
    const ends: string[] = [];
    await new Promise<void>((resolve) => {
      const resident = startResident("cat", [], {
        onLine() {},
        onEnd(reason) {
          ends.push(reason);
          resolve();
        },
      });
      resident.write("nobody reads this\n");
      resident.unref();
      resident.kill();
    });
    assert.match(ends.join(), /EMFILE/);
  });
  assert.equal((await run("true", [])).code, 0);
});

test("a program that is not there is told with what to do", async () => {
  await assert.rejects(run("no-such-program", []), { code: "host_unfit", hint: /setup/ });
});
