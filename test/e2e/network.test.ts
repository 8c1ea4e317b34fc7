/** Addresses, published ports, and who may talk to whom. The rules themselves are tested in the network room. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { buildBusybox, daemonForFile, runScript, serve } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);
await runScript(uni, "one", serve("page of one"), ["-p", "18080:8080"]);
await runScript(uni, "two", serve("page of two"), ["-p", "127.0.0.1:18081:8080"]);

const addressOf = async (name: string): Promise<string> => (await uni.json(["inspect", name])).private_ip;

const page = (url: string): Promise<string> =>
  until(`${url} answers`, async () => {
    const answer = await fetch(url).catch(() => undefined);
    return answer?.ok && (await answer.text()).trim();
  });

test("the host reaches an instance by its address", async () => {
  assert.equal(await page(`http://${await addressOf("one")}:8080/`), "page of one");
});

test("a published port answers on the host's loopback", async () => {
  assert.equal(await page("http://127.0.0.1:18080/"), "page of one");
  assert.equal(await page("http://127.0.0.1:18081/"), "page of two");
});

test("the time until the program listened is measured", async () => {
  const detail = await until("it is known", async () => {
    const seen = await uni.json(["inspect", "one"]);
    return seen.net_time_us > 0 && seen;
  });
  assert.ok(detail.net_time_us >= detail.boot_time_us);
});

test("instances of one account reach each other", async () => {
  const address = await addressOf("two");
  assert.equal(await uni.ok(["exec", "one", "wget", "-qO-", `http://${address}:8080/`]), "page of two");
});

test("an instance reaches another's published port through the host's address", async () => {
  // An address for documentation (RFC 5737), on a device that every namespace has.
  execFileSync("ip", ["address", "add", "192.0.2.1/32", "dev", "lo"]);
  assert.equal(await uni.ok(["exec", "two", "wget", "-qO-", "http://192.0.2.1:18080/"]), "page of one");
});

test("a service of the host is not reached from a guest", async () => {
  const server = createServer((_, response) => response.end("host"));
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const { gateway } = await uni.json(["inspect", "one"]);
    const { code } = await uni.uni(["exec", "one", "nc", "-w", "3", gateway, `${port}`]);
    assert.notEqual(code, 0);
  } finally {
    server.close();
  }
});

test("a port that an instance has is refused, with its owner, before anything boots", async () => {
  const refusal = await uni.refused(["run", "--name", "late", "-p", "18080:80", "busybox", "true"]);
  assert.equal(refusal.code, "port_in_use");
  assert.match(refusal.message, /18080/);
  assert.match(refusal.message, /one/);
  assert.equal((await uni.refused(["inspect", "late"])).code, "not_found");
});

test("a port that a program of the host has is refused, with its owner", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const refusal = await uni.refused(["run", "--name", "late", "-p", `${port}:80`, "busybox", "true"]);
    assert.equal(refusal.code, "port_in_use");
    assert.match(refusal.message, new RegExp(`${process.pid}|node`));
  } finally {
    server.close();
  }
});

test("a stopped instance gives its port back", async () => {
  await uni.ok(["rm", "-f", "two"]);
  await runScript(uni, "three", serve("page of three"), ["-p", "127.0.0.1:18081:8080"]);
  assert.equal(await page("http://127.0.0.1:18081/"), "page of three");
});
