/** Any program that is linked to glibc can be forked: these are `sleep`. */
import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";

enterOwnNamespaces();

import assert from "node:assert/strict";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { until } from "../../../../../test/kit/until.ts";
import { systemClock as clock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { waitUntilEnded } from "../../host/process-end.ts";
import { isAlive, signalProcess } from "../../host/process-identity.ts";
import { findNativeDirectory } from "./host-facts.ts";
import type { Launch, Launched } from "./launch.ts";
import { publishPreload } from "./preload.ts";
import { Zygotes } from "./zygote.ts";

const directory = mkdtempSync(join(tmpdir(), "zygote-"));
chmodSync(directory, 0o755);
const nativeDirectory = findNativeDirectory();
const preload = await publishPreload(directory, nativeDirectory);
const uid = 1073741900;
const lives: Launched[] = [];
after(async () => {
  for (const { process: machine } of lives) {
    signalProcess(machine, "SIGKILL");
    await waitUntilEnded(machine, clock, 10_000);
  }
  rmSync(directory, { recursive: true });
});

const zygotesOf = (program: string) => new Zygotes({ program, preload, clock, log: silentLog });

async function start(zygotes: Zygotes, options: Partial<Launch> = {}): Promise<Launched> {
  const launched = await zygotes.launch({
    ...{ attempted: "start it", nativeDirectory, program: "sleep", args: ["1000"], uid, accelerator: "tcg" },
    ...{ logPath: join(directory, "log"), cwd: directory },
    ...options,
  });
  lives.push(launched);
  return launched;
}

const proc = ({ process: { pid } }: Launched, name: string) => readFileSync(`/proc/${pid}/${name}`, "utf8");
const parentOf = (launched: Launched) => Number(/^PPid:\t(\d+)/m.exec(proc(launched, "status"))?.[1]);
const nameOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8");

test("what is forked has its arguments, its files and no rights, and nothing of the zygote's or the daemon's", async () => {
  const input = join(directory, "input");
  writeFileSync(input, "for root alone", { mode: 0o600 });
  const machine = await start(zygotesOf("sleep"), { inputs: [input] });
  await until("it sleeps", () => proc(machine, "wchan").includes("nanosleep"));
  assert.equal(nameOf(parentOf(machine)), "uni-zygote\0");
  assert.equal(proc(machine, "cmdline"), "sleep\x001000\0");
  assert.equal(proc(machine, "comm"), "sleep\n");
  const status = proc(machine, "status");
  const ids = Array(4).fill(uid).join("\t");
  for (const line of [`Uid:\t${ids}`, `Gid:\t${ids}`, "Groups:\t ", "NoNewPrivs:\t1", "THP_enabled:\t0"]) {
    assert.ok(status.includes(`${line}\n`), `${line} in\n${status}`);
  }
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
    assert.match(status, new RegExp(`${set}:\t0+\n`));
  for (const set of ["SigBlk", "SigIgn", "SigCgt"]) assert.match(status, new RegExp(`${set}:\t0+\n`));
  assert.match(proc(machine, "limits"), /Max core file size +0 +0 /);
  const { pid } = machine.process;
  const descriptors = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  assert.deepEqual(descriptors, ["/dev/null", "/dev/null", join(directory, "log"), input]);
  assert.equal(readlinkSync(`/proc/${pid}/cwd`), directory);
  // Session and process group are its own: fields 5 and 6, counted after the name (proc_pid_stat(5)).
  assert.deepEqual(proc(machine, "stat").split(") ")[1]?.split(" ").slice(2, 4), [`${pid}`, `${pid}`]);
});

test("one that ends at once is an error with its own words, and so is one that cannot become what it is to be", async () => {
  const zygotes = zygotesOf("sleep");
  const failed = await start(zygotes, { args: ["nonsense"] }).catch((error) => error);
  // Whether it was seen before it ended is a matter of microseconds.
  if (failed instanceof UniError) assert.match(failed.message, /invalid time interval/);
  else await failed.ended;
  assert.match(readFileSync(join(directory, "log"), "utf8"), /invalid time interval .nonsense/);
  const without = await start(zygotes, { inputs: [join(directory, "missing")] }).catch((error) => error);
  if (!(without instanceof UniError)) await without.ended;
  assert.match(readFileSync(join(directory, "log"), "utf8"), /launch: open .*missing: No such file/);
  assert.equal(nameOf(parentOf(await start(zygotes))), "uni-zygote\0");
});

test("a zygote that dies leaves its machines, and another one takes its place", async () => {
  const zygotes = zygotesOf("sleep");
  const first = await start(zygotes);
  const before = parentOf(first);
  process.kill(before, "SIGKILL");
  await until("it is gone", () => parentOf(first) !== before);
  const second = await until("another one forks", () => start(zygotes).catch(() => undefined));
  assert.equal(nameOf(parentOf(second)), "uni-zygote\0");
  assert.ok(isAlive(first.process));
});

test("after a crash, and after 64 machines, others have another layout of addresses", async () => {
  const zygotes = zygotesOf("sleep");
  const crashing = await start(zygotes);
  const sibling = await start(zygotes);
  assert.equal(parentOf(sibling), parentOf(crashing));
  process.kill(crashing.process.pid, "SIGSEGV");
  await crashing.ended;
  const parents: number[] = [];
  for (let count = 0; count < 65; count++) parents.push(parentOf(await start(zygotes)));
  assert.notEqual(parents[0], parentOf(sibling));
  assert.equal(new Set(parents.slice(0, 64)).size, 1);
  assert.notEqual(parents[64], parents[0]);
});

test("a machine that is killed does not cost the others their zygote, and an unused one goes with the last of them", async () => {
  const zygotes = zygotesOf("sleep");
  const [first, second] = [await start(zygotes), await start(zygotes)];
  const parent = parentOf(first);
  process.kill(first.process.pid, "SIGKILL");
  await first.ended;
  assert.equal(parentOf(await start(zygotes)), parent);
  const third = lives.at(-1);
  for (const signal of ["SIGSEGV", "SIGKILL"] as const) {
    const machine = signal === "SIGSEGV" ? second : third;
    process.kill(machine?.process.pid ?? 0, signal);
    await machine?.ended;
  }
  await until("it is gone", () => !readdirSync("/proc").includes(`${parent}`));
});

test("one that is closed goes at once, and its machines go on", async () => {
  const zygotes = zygotesOf("sleep");
  const machine = await start(zygotes);
  const parent = parentOf(machine);
  zygotes.close();
  await until("it is gone", () => !readdirSync("/proc").includes(`${parent}`));
  assert.ok(isAlive(machine.process));
});

test("what cannot be forked, as a script that starts another program, is started the slow way", async () => {
  const script = join(directory, "script");
  writeFileSync(script, '#!/bin/sh\nexec sleep "$@"\n', { mode: 0o755 });
  const zygotes = zygotesOf(script);
  const machine = await start(zygotes, { program: script });
  assert.equal(parentOf(machine), process.pid);
  await until("it sleeps", () => proc(machine, "cmdline") === "sleep\x001000\0");
});
