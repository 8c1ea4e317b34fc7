import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { until } from "../../../../../test/kit/until.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { identify } from "../../host/process-identity.ts";
import { QemuMachine } from "./machine.ts";
import { connectQmp } from "./qmp.ts";
import { type MachinePlaces, makePlaces } from "./record.ts";
import { type Script, ScriptedQmp } from "./scripted-qmp.ts";

/** Stands for QEMU where only its life matters. */
let child: ChildProcess;
let server: ScriptedQmp;
let places: MachinePlaces;
let directory: string;

const running: Script = (command) => (command === "query-status" ? { status: "running" } : {});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "machine-"));
  places = makePlaces(directory, process.getuid?.() ?? 0);
  child = spawn("sleep", ["1000"], { stdio: "ignore" });
});
afterEach(async () => {
  child.kill("SIGKILL");
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function watched(script: Script, clock: Clock = systemClock): Promise<QemuMachine> {
  server = await ScriptedQmp.listen(places.qmp, script);
  const identity = identify(child.pid ?? 0);
  assert.ok(identity);
  const machine = new QemuMachine({
    ...{ clock, log: silentLog, places, process: identity },
    accelerator: "tcg",
    timings: undefined,
    beginCapture: () => Promise.reject(new Error("no capture")),
    writeSnapshot: async () => ({ bytes: 1 }),
    onKilled: () => {},
  });
  const onEvent = machine.onEvent.bind(machine);
  await machine.watch(await connectQmp(places.qmp, clock, onEvent, new AbortController().signal));
  return machine;
}

test("a connection that breaks while the process lives is made again", async () => {
  const machine = await watched(running);
  server.drop();
  await machine.pause();
  assert.ok(server.commands.includes("stop"));
  await machine.kill();
  assert.deepEqual(await machine.exited, { kind: "killed" });
});

test("what happened while the connection was broken is learned afterwards", async () => {
  const machine = await watched(running);
  const text = Buffer.from("Kernel panic - not syncing: nobody saw it").toString("base64");
  server.script = (command) => (command === "query-status" ? { status: "shutdown" } : text);
  server.drop();
  assert.deepEqual(await machine.exited, { kind: "guest-panic" });
  await machine.kill();
});

test("a process that ends while connected is a VMM that died, with its own last words", async () => {
  const machine = await watched(running);
  writeFileSync(places.log, "qemu: something terrible\n");
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  await server.close();
  assert.deepEqual(await machine.exited, { kind: "vmm-died" });
  assert.match(await machine.lastWords(), /something terrible/);
  await machine.kill();
  assert.ok(!existsSync(places.run));
  server = await ScriptedQmp.listen(join(directory, "other"), running);
});

test("a guest that stops for a full disk is resumed after a while", async () => {
  const retry = Promise.withResolvers<() => void>();
  const clock: Clock = {
    ...systemClock,
    after(ms, task) {
      if (ms !== 5_000) return systemClock.after(ms, task);
      retry.resolve(task);
      return () => {};
    },
  };
  let status = "running";
  const resumed = Promise.withResolvers<void>();
  const machine = await watched((command) => {
    if (command === "query-status") return { status };
    if (command === "cont") {
      status = "running";
      resumed.resolve();
    }
    return {};
  }, clock);
  status = "io-error";
  server.event("BLOCK_IO_ERROR", { nospace: true, action: "stop" });
  server.event("STOP");
  (await retry.promise)();
  await resumed.promise;
  await machine.kill();
});

test("a released machine is left alone", async () => {
  const machine = await watched(running);
  await machine.release();
  assert.equal(child.exitCode, null);
  assert.ok(existsSync(places.run));
});

test("last words that were read once are still there for the next daemon", async () => {
  let ring = Buffer.from("first ").toString("base64");
  const script: Script = (command) => {
    if (command === "query-status") return { status: "running" };
    const read = ring;
    ring = "";
    return read;
  };
  const machine = await watched(script);
  assert.equal(await machine.lastWords(), "first ");
  await machine.release();
  await server.close();
  ring = Buffer.from("second").toString("base64");
  const next = await watched(script);
  assert.equal(await next.lastWords(), "first second");
  await next.kill();
});

test("whether it is paused is learned from QEMU, once more after a connection that broke", async () => {
  const status =
    (state: string): Script =>
    (command) =>
      command === "query-status" ? { status: state } : {};
  const machine = await watched(status("paused"));
  assert.equal(machine.paused, true);
  server.script = status("running");
  server.drop();
  await until("it asks over a new connection", () => !machine.paused);
  await machine.kill();
});

test("the process of a paused machine stands still, but for as long as somebody talks to it", async () => {
  const isStopped = () => readFileSync(`/proc/${child.pid}/stat`, "utf8").includes(") T ");
  const stopped: boolean[] = [];
  const script = (command: string) => {
    if (command !== "query-status") return {};
    stopped.push(isStopped());
    return { status: "paused" };
  };
  const machine = await watched(script);
  await machine.pause();
  await until("it stands still", isStopped);
  stopped.length = 0;
  await machine.suspend("nowhere", new AbortController().signal);
  assert.deepEqual(stopped, [false]);
  await until("it stands still again", isStopped);
  await machine.resume();
  assert.equal(isStopped(), false);
  await machine.pause();
  await until("it stands still once more", isStopped);
  await machine.kill();
});

test("a machine that is not paused, or whose guest has ended, is not suspended", async () => {
  let status = "running";
  const machine = await watched((command) => (command === "query-status" ? { status } : {}));
  const signal = new AbortController().signal;
  await assert.rejects(machine.suspend("nowhere", signal), /it is running, not paused/);
  await machine.pause();
  status = "shutdown";
  await assert.rejects(machine.suspend("nowhere", signal), /it is shutdown, not paused/);
  status = "paused";
  assert.deepEqual(await machine.suspend("nowhere", signal), { bytes: 1 });
  await machine.kill();
});
