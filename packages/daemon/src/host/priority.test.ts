import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import { favour } from "./priority.ts";
import { run } from "./process.ts";

const hasAutogroups = existsSync("/proc/self/autogroup");
const sharesOf = (pid: number | "self") =>
  hasAutogroups
    ? Number(/nice (-?\d+)/.exec(readFileSync(`/proc/${pid}/autogroup`, "utf8"))?.[1])
    : undefined;

async function withProcess(detached: boolean, body: (pid: number) => void): Promise<void> {
  const child = spawn("sleep", ["1000"], { stdio: "ignore", detached });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    body(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

test("a process is favoured with its session, if it has that for itself", async () => {
  await withProcess(true, (pid) => {
    favour(pid, silentLog);
    assert.deepEqual([getPriority(pid), sharesOf(pid)], [-5, hasAutogroups ? -5 : undefined]);
  });
  await withProcess(false, (pid) => {
    const before = sharesOf(pid);
    favour(pid, silentLog);
    assert.deepEqual([getPriority(pid), sharesOf(pid)], [-5, before]);
  });
});

test("long work of one that is favoured is not: it has what that one was started with", async () => {
  const inside = new URL("priority.ts", import.meta.url).href;
  const processes = new URL("process.ts", import.meta.url).href;
  const script = `
    const { favour } = await import(${JSON.stringify(inside)});
    const { run } = await import(${JSON.stringify(processes)});
    favour(process.pid, { debug: (fields) => { throw fields.err; } });
    const { stdout } = await run("sh", ["-c", "read go; cut -d ' ' -f 19 /proc/self/stat"], { ownSession: true, stdin: "go\\n" });
    console.log(stdout.toString().trim());`;
  for (const nice of [0, 3]) {
    const command = [process.execPath, "--input-type=module", "-e", script];
    const { stdout } = await run("nice", ["-n", `${nice}`, ...command]);
    assert.equal(Number(stdout.toString()), getPriority() + nice);
  }
});

test("one that is gone is left alone", () => {
  favour(2 ** 22 + 1, silentLog);
});
