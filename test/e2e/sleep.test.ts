/** Instances that sleep, paused and on disk, and what wakes them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { buildBusybox, daemonForFile, removeAll, runScript, serve } from "../kit/machine-test.ts";
import {
  idly,
  memoryAt,
  page,
  reached as reachedOn,
  runRemembering as runOn,
  suspendToDisk,
  tierOf as tierOn,
} from "../kit/sleepers.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile({ env: { UNI_SLEEP_TO_DISK_AFTER: "1000" } });
await buildBusybox(uni);

beforeEach(() => removeAll(uni));

const inspect = (name: string) => uni.json(["inspect", name]);
const tierOf = (name: string) => tierOn(uni, name);
const reached = (name: string, goal: string) => reachedOn(uni, name, goal);
const runRemembering = (name: string, options?: readonly string[]) => runOn(uni, name, options);
const served = (url: string) => until(`${url} answers`, () => page(url).catch(() => undefined));

const machines = (): number =>
  readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("qemu-system");
    } catch {
      return false;
    }
  }).length;

test("an idle instance falls asleep, and a request wakes it with its memory", async () => {
  const url = await runRemembering("web", idly);
  const before = await memoryAt(url);
  await reached("web", "paused");
  assert.equal(machines(), 1);
  const asleep = await inspect("web");
  assert.deepEqual(
    [asleep.stop_reason, asleep.scale_to_zero.policy, asleep.scale_to_zero.enabled],
    [39, "idle", true],
  );
  assert.match(await uni.ok(["ps"]), /Asleep .*\(paused\)/);
  const after = await memoryAt(url);
  assert.equal(after.nonce, before.nonce);
  assert.ok(after.count >= before.count);
  assert.equal((await inspect("web")).start_count, 2);
});

test("suspended to disk it has no process and no device; it wakes with its memory and the right time", async () => {
  const url = await runRemembering("web");
  const before = await memoryAt(url);
  await suspendToDisk(uni, "web");
  await until("its process is gone", () => machines() === 0);
  assert.doesNotMatch(execFileSync("ip", ["-brief", "link"], { encoding: "utf8" }), /^u\w+-\w{4}\s/m);
  const after = await memoryAt(url);
  assert.equal(after.nonce, before.nonce);
  assert.ok(after.count >= before.count);
  const guestS = Number(await uni.ok(["exec", "web", "date", "+%s"]));
  assert.ok(Math.abs(guestS - Date.now() / 1000) < 3, `the guest's clock says ${guestS}`);
});

for (const tier of ["paused", "disk"] as const) {
  test(`asleep (${tier}), it is woken through a published port and by another instance`, async () => {
    const url = await runRemembering("web", [...idly, "-p", "18080:8080"]);
    await runScript(uni, "other", serve("other"));
    const { nonce } = await memoryAt(url);
    const sleep = async () => {
      await (tier === "disk" ? suspendToDisk(uni, "web") : reached("web", tier));
    };
    await sleep();
    assert.equal((await memoryAt("http://127.0.0.1:18080/")).nonce, nonce);
    await sleep();
    assert.match(await uni.ok(["exec", "other", "wget", "-qO-", url]), new RegExp(`^${nonce} `));
  });

  test(`asleep (${tier}), an open connection lives on, and its next byte wakes`, async () => {
    await runScript(uni, "echo", "exec nc -ll -p 9000 -e cat", idly);
    const { private_ip: host } = await inspect("echo");
    const socket = await until("it takes a connection", async () => {
      const trying = connect({ host, port: 9000 });
      return once(trying, "connect").then(
        () => trying,
        () => undefined,
      );
    });
    const say = async (text: string) => {
      socket.write(text);
      const [answer] = await once(socket, "data");
      assert.equal(String(answer), text);
    };
    await say("one");
    await (tier === "disk" ? suspendToDisk(uni, "echo") : reached("echo", tier));
    await say("two");
    socket.destroy();
  });

  test(`asleep (${tier}), it wakes for a daemon that came after it was killed`, async () => {
    const url = await runRemembering("web", idly);
    const { nonce } = await memoryAt(url);
    await (tier === "disk" ? suspendToDisk(uni, "web") : reached("web", tier));
    await uni.kill();
    const answer = memoryAt(url);
    await uni.start();
    assert.equal((await answer).nonce, nonce);
    await reached("web", tier === "disk" ? "paused" : tier);
    assert.equal((await memoryAt(url)).nonce, nonce);
  });

  test(`fifty requests at once to one asleep (${tier}) are one wake`, async () => {
    const url = await runRemembering("web", idly);
    const { nonce } = await memoryAt(url);
    await (tier === "disk" ? suspendToDisk(uni, "web") : reached("web", tier));
    // A connection that finds the guest's backlog full is silent for seconds before it tries again.
    await uni.ok(["update", "web", "--cooldown", "60"]);
    const { start_count: before } = await inspect("web");
    const answers = await Promise.all(Array.from({ length: 50 }, () => page(url)));
    assert.deepEqual([...new Set(answers.map((answer) => answer.split(" ")[0]))], [nonce]);
    assert.equal((await inspect("web")).start_count, before + 1);
  });
}

test("what is asked of a sleeper: commands and copies wake it, reading about it does not", async () => {
  const url = await runRemembering("web");
  const { nonce } = await memoryAt(url);
  await suspendToDisk(uni, "web");
  await uni.ok(["logs", "web"]);
  await uni.ok(["stats", "web"]);
  await uni.ok(["inspect", "web"]);
  assert.equal(await tierOf("web"), "disk");
  assert.match(await uni.ok(["exec", "web", "cat", "/www/index.html"]), new RegExp(`^${nonce} `));
  await uni.ok(["suspend", "web"]);
  await uni.ok(["cp", "web:/www/index.html", join(uni.directory, "copied")]);
  assert.match(readFileSync(join(uni.directory, "copied"), "utf8"), new RegExp(`^${nonce} `));
  assert.equal(await tierOf("web"), "running");
});

test("suspend and start by name; stop and removal of sleepers leave nothing", async () => {
  const url = await runRemembering("web");
  const { nonce } = await memoryAt(url);
  const { uuid } = await inspect("web");
  const suspended = await uni.rest("PUT", `/instances/${uuid}/suspend`, {
    drain_timeout_ms: 0,
    timeout_s: -1,
  });
  assert.deepEqual(
    [suspended.body.data.instances[0].state, suspended.body.data.instances[0].previous_state],
    ["standby", "running"],
  );
  const { used } = (await uni.rest("GET", "/users/quotas")).body.data.quotas[0];
  assert.equal(used.live_instances, 0);
  await uni.ok(["start", "web"]);
  assert.equal((await memoryAt(url)).nonce, nonce);
  await suspendToDisk(uni, "web");
  await uni.ok(["stop", "-t", "1", "web"]);
  const stopped = await inspect("web");
  assert.deepEqual([stopped.state, stopped.sleep], ["stopped", undefined]);
  await uni.ok(["start", "web"]);
  assert.notEqual((await until("it counts anew", () => memoryAt(url).catch(() => undefined))).nonce, nonce);
  await uni.ok(["suspend", "web"]);
  await uni.ok(["rm", "-f", "web"]);
  await until("its process is gone", () => machines() === 0);
});

test("without its memory it boots when it is woken, and the request waits for its first listener", async () => {
  await runScript(uni, "web", serve("fresh"), ["--scale-to-zero", "on", "--cooldown", "0.3"]);
  const url = `http://${(await inspect("web")).private_ip}:8080/`;
  await served(url);
  await reached("web", "off");
  assert.equal(machines(), 0);
  assert.equal(await page(url), "fresh");
  await reached("web", "off");
});

test("a damaged memory that was promised: it says so, and starts cold", async () => {
  const url = await runRemembering("web", ["--scale-to-zero", "idle", "--cooldown", "60", "--stateful"]);
  const { nonce } = await memoryAt(url);
  await suspendToDisk(uni, "web");
  const { uuid } = await inspect("web");
  rmSync(join(uni.dataDirectory, "instances", uuid, "sleep"), { recursive: true });
  const { message, hint } = await uni.refused(["start", "web"]);
  assert.match(message, /lost or damaged/);
  assert.match(hint ?? "", /uni start --cold web/);
  await uni.ok(["start", "--cold", "web"]);
  assert.notEqual((await until("it counts anew", () => memoryAt(url).catch(() => undefined))).nonce, nonce);
});

test("a damaged memory that nobody was promised: it boots by itself for who asks", async () => {
  const url = await runRemembering("web", ["--scale-to-zero", "idle", "--cooldown", "600"]);
  const { nonce } = await memoryAt(url);
  await suspendToDisk(uni, "web");
  const { uuid } = await inspect("web");
  rmSync(join(uni.dataDirectory, "instances", uuid, "sleep"), { recursive: true });
  const { nonce: another } = await until("it counts anew", () => memoryAt(url).catch(() => undefined));
  assert.notEqual(another, nonce);
});

test("the policy can be changed while it runs, and is refused where it makes no sense", async () => {
  await runRemembering("web");
  await uni.ok(["update", "web", "--scale-to-zero", "idle", "--cooldown", "0.3", "--stateful"]);
  await reached("web", "paused");
  await uni.ok(["start", "web"]);
  await uni.ok(["update", "web", "--scale-to-zero", "off"]);
  assert.equal((await inspect("web")).scale_to_zero.enabled, false);
  const late = await uni.refused(["update", "web", "--cooldown", "1", "--notify", "2"]);
  assert.equal(late.code, "invalid_value");
  const passing = await uni.refused(["run", "--rm", "--scale-to-zero", "on", "busybox", "true"]);
  assert.equal(passing.code, "exclusive");
});

test("figures for a scraper need the token, and tell of wakes", async () => {
  const url = await runRemembering("web");
  await uni.ok(["suspend", "web"]);
  await memoryAt(url);
  const ask = (headers: Record<string, string>) => fetch(`${uni.url}/metrics`, { headers });
  assert.equal((await ask({})).status, 401);
  const text = await (await ask({ authorization: `Bearer ${uni.token}` })).text();
  assert.match(text, /^uni_instances\{state="running"\} 1$/m);
  assert.match(text, /^instance_wakeup_latency_count\{[^}]*instance_name="web"\} 1$/m);
});
