/** Two daemons on one host, each with everything of its own. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startDaemon } from "../kit/daemon.ts";
import { buildBusybox, daemonForFile, serve } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";

const left = await daemonForFile();
const right = await startDaemon();
let rightStopped = false;
// Only when a test failed before it stopped it itself.
after(() => (rightStopped ? undefined : right.stop({ checkLeftovers: false })));

const page = async (url: string) =>
  (await fetch(url).catch(() => undefined))?.text().then((text) => text.trim());

const serves = (url: string, text: string) =>
  until(`${url} says ${text}`, async () => (await page(url)) === text);

test("both run an instance of the same name, and neither sees the other's", async () => {
  for (const [daemon, text] of [
    [left, "left"],
    [right, "right"],
  ] as const) {
    await buildBusybox(daemon);
    await daemon.ok(["run", "--name", "web", "busybox", "sh", "-c", serve(text)]);
    assert.equal((await daemon.json(["ps", "-a"])).length, 1);
  }
  const addresses = await Promise.all(
    [left, right].map(async (daemon) => (await daemon.json(["inspect", "web"])).private_ip),
  );
  assert.notEqual(addresses[0], addresses[1]);
  await serves(`http://${addresses[0]}:8080/`, "left");
  await serves(`http://${addresses[1]}:8080/`, "right");
});

test("a guest of one does not reach a guest of the other", async () => {
  const { private_ip: address } = await right.json(["inspect", "web"]);
  const { code } = await left.uni(["exec", "web", "wget", "-T", "3", "-qO-", `http://${address}:8080/`]);
  assert.notEqual(code, 0);
});

test("a port that the other publishes is refused", async () => {
  await left.ok(["run", "--name", "publisher", "-p", "18080:8080", "busybox", "sh", "-c", serve("left")]);
  const refusal = await right.refused(["run", "--name", "late", "-p", "18080:8080", "busybox", "true"]);
  assert.equal(refusal.code, "port_in_use");
});

test("the end of one leaves the other as it was", async () => {
  const { private_ip: address } = await left.json(["inspect", "web"]);
  await right.stop({ checkLeftovers: false });
  rightStopped = true;
  await serves(`http://${address}:8080/`, "left");
  assert.equal(await left.ok(["exec", "web", "echo", "alive"]), "alive");
});
