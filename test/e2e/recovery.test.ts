/** kill -9 of the daemon, at any instant. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { beforeEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { buildBusybox, daemonForFile, idle, removeAll, runScript, serve } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

// What a failed test left must not fail the next one.
beforeEach(() => removeAll(uni));

const commandLine = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
};
const machines = (): number =>
  readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && /qemu-system/.test(commandLine(pid))).length;
const taps = (): number =>
  execFileSync("ip", ["-brief", "link", "show", "type", "tun"], { encoding: "utf8" }).split("\n").length - 1;

async function crash(): Promise<void> {
  await uni.kill();
  await uni.start();
}

const addressOf = async (name: string): Promise<string> => (await uni.json(["inspect", name])).private_ip;
const page = async (url: string): Promise<string | undefined> =>
  (await fetch(url).catch(() => undefined))?.text().then((text) => text.trim());

test("a machine serves on while no daemon runs, and the next one has it as before", async () => {
  await runScript(uni, "web", `echo begin; ${serve("still here")}`, ["-p", "18080:8080"]);
  const url = `http://${await addressOf("web")}:8080/`;
  await until("it serves", async () => (await page(url)) === "still here");
  const before = await uni.json(["inspect", "web"]);
  await uni.kill();
  assert.equal(await page(url), "still here");
  assert.equal(await page("http://127.0.0.1:18080/"), "still here");
  await uni.start();
  assert.equal(await page(url), "still here");
  const after = await uni.json(["inspect", "web"]);
  for (const member of [
    "state",
    "uuid",
    "private_ip",
    "start_count",
    "started_at",
    "boot_time_us",
    "accelerator",
  ]) {
    assert.deepEqual(after[member], before[member], member);
  }
  assert.equal(await uni.ok(["exec", "web", "cat", "/www/index.html"]), "still here");
  const [stats] = [await uni.json(["stats", "web"])].flat();
  assert.ok(stats.rss_bytes > 0);
  assert.equal(await uni.ok(["logs", "web"]), "begin");
  await uni.ok(["rm", "-f", "web"]);
});

test("what a program prints while no daemon runs is in the log, once", async () => {
  const script = `echo one; nc -l -p 8080 >/dev/null; echo two; ${idle}`;
  await runScript(uni, "talker", script);
  const address = await addressOf("talker");
  await until("one is logged", async () => (await uni.ok(["logs", "talker"])) === "one");
  await uni.kill();
  await knock(address, 8080);
  await uni.start();
  await until("both are logged", async () => (await uni.ok(["logs", "talker"])) === "one\ntwo");
  await uni.ok(["rm", "-f", "talker"]);
});

test("a program that ends while no daemon runs keeps its exit code", async () => {
  await runScript(uni, "ender", "nc -l -p 8080 >/dev/null; echo last words; exit 23");
  const address = await addressOf("ender");
  await until("it listens", async () => (await uni.json(["inspect", "ender"])).net_time_us > 0);
  await uni.kill();
  await knock(address, 8080);
  await uni.start();
  assert.equal(await uni.ok(["wait", "ender"]), "23");
  assert.equal(await uni.ok(["logs", "ender"]), "last words");
  assert.equal((await uni.json(["inspect", "ender"])).state, "stopped");
  await uni.ok(["rm", "ender"]);
});

/** Everything that is listed is in a state that holds, and the host has machines and devices for those alone. */
async function isSound(): Promise<void> {
  const rows: { name: string; state: string }[] = await until("all is settled", async () => {
    const seen = await uni.json(["ps", "-a"]);
    return seen.every(({ state }: { state: string }) => state === "running" || state === "stopped") && seen;
  });
  const running = rows.filter(({ state }) => state === "running");
  for (const { name } of running) assert.equal(await uni.ok(["exec", name, "echo", "alive"]), "alive");
  await until("machines and devices are those of the running instances", () => {
    assert.equal(machines(), running.length);
    assert.equal(taps(), running.length);
    return true;
  });
}

test("kill -9 in the middle of creations", async () => {
  for (const [round, delay] of [5, 20, 40, 60, 90, 130, 180, 260, 400].entries()) {
    const creation = uni.uni(["run", "--name", `made-${round}`, "busybox", "sh", "-c", idle]);
    await pause(delay);
    await crash();
    await creation;
    await isSound();
  }
});

test("kill -9 in the middle of stops", async () => {
  for (const [round, delay] of [5, 20, 50, 100, 200].entries()) {
    const name = `stops-${round}`;
    await runScript(uni, name, idle);
    const stopping = uni.uni(["stop", name]);
    await pause(delay);
    await crash();
    await stopping;
    await isSound();
    await uni.ok(["rm", "-f", name]);
  }
  await isSound();
});

test("a machine whose record is gone is ended, and its devices are removed", async () => {
  await runScript(uni, "forgotten", idle);
  await uni.kill();
  const { DatabaseSync } = await import("node:sqlite");
  const store = readdirSync(uni.dataDirectory).find((name) => /\.(db|sqlite3?)$/.test(name));
  assert.ok(store !== undefined, `no database in ${readdirSync(uni.dataDirectory)}`);
  const database = new DatabaseSync(`${uni.dataDirectory}/${store}`);
  database.exec("PRAGMA foreign_keys = OFF; DELETE FROM instances");
  database.close();
  assert.equal(machines(), 1);
  await uni.start();
  assert.deepEqual(await uni.json(["ps", "-a"]), []);
  await isSound();
});

test("routes and devices that others removed come back, and leaked ones go", async () => {
  await runScript(uni, "web", serve("repaired"));
  const address = await addressOf("web");
  await until("it serves", async () => (await page(`http://${address}:8080/`)) === "repaired");
  await uni.kill();
  execFileSync("ip", ["route", "del", `${address}/32`]);
  await uni.start();
  await until("it serves again", async () => (await page(`http://${address}:8080/`)) === "repaired");
  await uni.ok(["rm", "-f", "web"]);
  await isSound();
});

function knock(host: string, port: number): Promise<void> {
  return until(`${host}:${port} takes a connection and closes it`, () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(port, host, () => socket.end());
    socket.resume();
    socket.once("error", () => resolve(false));
    socket.once("close", (failed) => resolve(!failed));
    return promise;
  }).then(() => undefined);
}
