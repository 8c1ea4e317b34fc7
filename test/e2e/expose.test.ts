/** `uni expose`: ports of this machine that lead to instances that run, sleep or are stopped. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { buildBusybox, daemonForFile, runScript, serve } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);
await runScript(uni, "web", serve("page of web"));

const lowest = 30_000;
const page = async (port: number): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  return (await answer.text()).trim();
};
const served = (port: number) => until(`port ${port} answers`, () => page(port).catch(() => undefined));
const refusedAt = (port: number) => assert.rejects(page(port), /fetch failed/);
const portsOf = async (name: string): Promise<readonly number[]> =>
  (await uni.json(["inspect", name])).ports.map(({ host_port }: { host_port: number }) => host_port);

const changed = (length: number) =>
  until("the record changes", async () => (await portsOf("web")).length > length);

test("a running instance gets a free port, the same one when asked again, and one that is stated", async () => {
  const before = await uni.json(["inspect", "web"]);
  assert.equal(await uni.ok(["expose", "web", "8080"]), `0.0.0.0:${lowest}`);
  assert.equal(await served(lowest), "page of web");
  assert.equal(await uni.ok(["expose", "web", "8080"]), `0.0.0.0:${lowest}`);
  assert.equal(await uni.ok(["expose", "web", "8080", "-p", "127.0.0.1:18080"]), "127.0.0.1:18080");
  assert.equal(await page(18_080), "page of web");
  assert.match(await uni.ok(["ps"]), new RegExp(`0\\.0\\.0\\.0:${lowest}->8080/tcp`));
  const after = await uni.json(["inspect", "web"]);
  assert.deepEqual([after.start_count, after.started_at], [before.start_count, before.started_at]);
});

test("the port outlives the daemon, and a restart of the instance", async () => {
  await uni.kill();
  assert.equal(await page(lowest), "page of web");
  await uni.start();
  assert.equal(await served(lowest), "page of web");
  await uni.ok(["restart", "web"]);
  assert.equal(await served(lowest), "page of web");
  assert.deepEqual(await portsOf("web"), [lowest, 18_080]);
});

test("it wakes one that sleeps on disk, also when it was exposed meanwhile", async () => {
  await uni.ok(["suspend", "web"]);
  assert.equal(await served(lowest), "page of web");
  await uni.ok(["suspend", "web"]);
  assert.equal(await uni.ok(["expose", "web", "8080", "-p", "18081"]), "0.0.0.0:18081");
  assert.equal((await uni.json(["inspect", "web"])).state, "standby");
  assert.equal(await served(18_081), "page of web");
});

test("another instance finds that port taken, with its owner, and gets the next free one", async () => {
  await runScript(uni, "two", serve("page of two"));
  const refusal = await uni.refused(["expose", "two", "8080", "-p", String(lowest)]);
  assert.deepEqual([refusal.code, /web/.test(refusal.message)], ["port_in_use", true]);
  const server = createServer().listen(0, "0.0.0.0");
  await until("it listens", () => server.listening);
  const { port } = server.address() as AddressInfo;
  assert.equal((await uni.refused(["expose", "two", "8080", "-p", String(port)])).code, "port_in_use");
  server.close();
  assert.equal(await uni.ok(["expose", "two", "8080"]), `0.0.0.0:${lowest + 1}`);
  assert.equal(await served(lowest + 1), "page of two");
  assert.equal((await uni.refused(["expose", "nobody", "80"])).code, "not_found");
});

test("over REST it is the property `ports`", async () => {
  const change = (op: string, value: unknown) =>
    uni.rest("PATCH", "/instances", [{ name: "two", prop: "ports", op, value }]);
  assert.equal((await change("add", [{ guest_port: 8080, host_port: 18_082 }])).status, 200);
  assert.equal(await page(18_082), "page of two");
  assert.equal((await change("set", [{ guest_port: 8080, host_port: 18_083 }])).status, 200);
  assert.equal(await page(18_083), "page of two");
  await refusedAt(18_082);
  await refusedAt(lowest + 1);
  assert.notEqual((await change("add", [{ guest_port: 8080, host_port: 0 }])).status, 200);
});

test("unexpose takes one or all away at once", async () => {
  await uni.ok(["unexpose", "web", "8080", "-p", "18081"]);
  await refusedAt(18_081);
  assert.equal(await page(lowest), "page of web");
  await uni.ok(["unexpose", "web", "8080"]);
  await refusedAt(lowest);
  await refusedAt(18_080);
  assert.deepEqual(await portsOf("web"), []);
  assert.equal((await uni.refused(["unexpose", "web", "8080"])).code, "not_found");
});

test("a daemon that is killed while it exposes leaves a port that leads there, or none", async () => {
  for (let round = 0; round < 4; round += 1) {
    const port = 18_100 + round;
    const before = await portsOf("web");
    const asked = uni.uni(["expose", "web", "8080", "-p", String(port)]);
    // Killed at the first moment at which the change shows, or before it was sent.
    if (round % 2 === 0) await changed(before.length);
    await uni.kill();
    await asked;
    await uni.start();
    const leads = (await portsOf("web")).includes(port);
    assert.equal(await page(port).catch(() => undefined), leads ? "page of web" : undefined);
  }
});
