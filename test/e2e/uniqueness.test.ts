/** Machines restored from one snapshot must not be twins. One test an item. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

const early =
  "head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n'; echo; cat /proc/sys/kernel/random/uuid; date +%s";
const startedAt = Math.floor(Date.now() / 1000);
for (const name of ["left", "right"]) await runScript(uni, name, `${early}; ${idle}`);

const both = (args: readonly string[]): Promise<string[]> =>
  Promise.all(["left", "right"].map((name) => uni.ok(["exec", name, ...args])));

async function differ(what: string, args: readonly string[], pattern: RegExp): Promise<void> {
  const [left, right] = await both(args);
  assert.match(left ?? "", pattern, what);
  assert.match(right ?? "", pattern, what);
  assert.notEqual(left, right, what);
}

test("machine id", () => differ("machine id", ["cat", "/etc/machine-id"], /^[0-9a-f]{32}$/));

test("host name", () => differ("host name", ["hostname"], /^(left|right)$/));

test("MAC address", () =>
  differ("MAC", ["cat", "/sys/class/net/eth0/address"], /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/));

test("address", () => differ("address", ["sh", "-c", "ip -4 addr show dev eth0 | grep inet"], /inet \d+\./));

test("random numbers, from the program's first instruction on", async () => {
  const lines = await Promise.all(
    ["left", "right"].map(async (name) => (await uni.ok(["logs", name])).split("\n").slice(0, 2)),
  );
  const all = lines.flat();
  assert.equal(all.length, 4);
  assert.equal(new Set(all).size, 4, `drawn twice: ${all.join(" ")}`);
});

test("random numbers of later", () =>
  differ("uuid", ["cat", "/proc/sys/kernel/random/uuid"], /^[0-9a-f-]{36}$/));

test("the clock is the host's, not the snapshot's", async () => {
  for (const seconds of await both(["date", "+%s"])) {
    assert.ok(
      Number(seconds) >= startedAt - 1,
      `the guest says ${seconds}, and the test began at ${startedAt}`,
    );
    assert.ok(Number(seconds) <= Date.now() / 1000 + 1, `the guest says ${seconds}, ahead of the host`);
  }
});

test("the clock is right at the program's first instruction", async () => {
  const third = (await uni.ok(["logs", "left"])).split("\n")[2];
  assert.ok(Number(third) >= startedAt - 1, `the program read ${third}, and the test began at ${startedAt}`);
});
