/** The life of an instance, as a person at the prompt sees it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

const attached = (script: string, options: readonly string[] = []) =>
  uni.uni(["run", "--attach", "--rm", ...options, "busybox", "sh", "-c", script]);

test("run prints the name once the program runs, and ps and inspect know it", async () => {
  assert.equal(await runScript(uni, "first", idle, ["-m", "256", "--vcpus", "2"]), "first");
  const [row] = await uni.json(["ps"]);
  assert.equal(row.name, "first");
  assert.equal(row.state, "running");
  assert.equal(row.memory, 256);
  assert.match(row.ip, /^\d+\.\d+\.\d+\.\d+$/);
  const detail = await uni.json(["inspect", "first"]);
  assert.equal(detail.state, "running");
  assert.equal(detail.vcpus, 2);
  assert.equal(detail.start_count, 1);
  assert.ok(detail.boot_time_us > 0, "the time to the program's first instruction is known");
  assert.match(detail.accelerator, /^(kvm|tcg)$/);
  assert.match(detail.kernel, /^\d+\./);
  assert.match(await uni.ok(["exec", "first", "sh", "-c", "grep -c ^processor /proc/cpuinfo"]), /^2$/);
});

test("the output of the program comes back as it was: stdout apart from stderr", async () => {
  const { code, stdout, stderr } = await attached("echo out; echo err >&2; exit 7");
  assert.equal(code, 7);
  assert.equal(stdout, "out\n");
  assert.match(stderr, /^err$/m);
});

test("a program that a signal killed ends with 128 and the signal's number", async () => {
  assert.equal((await attached("kill -KILL $$")).code, 137);
});

test("a program that is not there ends with 127, and the reason is told", async () => {
  const { code, stderr } = await uni.uni(["run", "--attach", "--rm", "busybox", "/no/such/program"]);
  assert.equal(code, 127);
  assert.match(stderr, /\/no\/such\/program/);
});

test("arguments and environment arrive byte for byte", async () => {
  const odd = "a \"b\" 'c' $d `e` \\ ; # = \n ü ☃ \u0001\u007f";
  const script = 'printf "[%s]" "$A" "$@"';
  const args = ["busybox", "sh", "-c", script, "sh", "", " ", odd];
  const { code, stdout } = await uni.uni(["run", "--attach", "--rm", "-e", `A=${odd}`, "-e", "B=", ...args]);
  assert.equal(code, 0);
  assert.equal(stdout.replace(/\n$/, ""), `[${odd}][][ ][${odd}]`);
});

test("user, groups, home and working directory are those that were asked for", async () => {
  const script = "id -un; id -gn; id -G; pwd; echo $HOME";
  const { stdout } = await attached(script, ["-u", "app", "-w", "/srv/made"]);
  assert.deepEqual(stdout.trim().split("\n"), ["app", "app", "1000 2000", "/srv/made", "/home/app"]);
  const numeric = await attached("id -u; id -g", ["-u", "4321:8765"]);
  assert.equal(numeric.stdout, "4321\n8765\n");
});

test("the guest knows its name, its hosts and its resolvers", async () => {
  await runScript(uni, "named", idle);
  const { ip } = (await uni.json(["ps"])).find((row: { name: string }) => row.name === "named");
  assert.equal(await uni.ok(["exec", "named", "hostname"]), "named");
  const hosts = await uni.ok(["exec", "named", "cat", "/etc/hosts"]);
  assert.match(hosts, /^127\.0\.0\.1\s.*localhost/m);
  assert.match(hosts, new RegExp(`^${ip.replaceAll(".", "\\.")}\\s.*named`, "m"));
  await uni.ok(["exec", "named", "cat", "/etc/resolv.conf"]);
  await uni.ok(["rm", "-f", "named"]);
});

test("wait prints the exit code, and the ended instance is listed with -a only", async () => {
  await runScript(uni, "short", "exit 9");
  assert.equal(await uni.ok(["wait", "short"]), "9");
  const names = (rows: { name: string }[]) => rows.map(({ name }) => name);
  assert.ok(!names(await uni.json(["ps"])).includes("short"));
  const all = await uni.json(["ps", "-a"]);
  assert.ok(names(all).includes("short"));
  const detail = await uni.json(["inspect", "short"]);
  assert.equal(detail.state, "stopped");
  assert.equal(detail.exit_code, 9);
  await uni.ok(["rm", "short"]);
  assert.equal((await uni.refused(["inspect", "short"])).code, "not_found");
});

test("with --rm it is gone once it ended", async () => {
  await runScript(uni, "passing", "exit 0", ["--rm"]);
  await until("it is gone", async () => (await uni.uni(["inspect", "passing"])).code !== 0);
});

test("the writable disk outlives stop and start, and the logs do", async () => {
  await runScript(uni, "keeper", `echo begin; ${idle}`);
  await uni.ok(["exec", "keeper", "sh", "-c", "echo kept >/var/data && rm /etc/os-release"]);
  await uni.ok(["stop", "keeper"]);
  assert.equal((await uni.json(["inspect", "keeper"])).state, "stopped");
  await uni.ok(["start", "keeper"]);
  assert.equal(await uni.ok(["exec", "keeper", "cat", "/var/data"]), "kept");
  assert.notEqual((await uni.uni(["exec", "keeper", "cat", "/etc/os-release"])).code, 0);
  await until(
    "both starts are in the log",
    async () => (await uni.ok(["logs", "keeper"])) === "begin\nbegin",
  );
  const detail = await uni.json(["inspect", "keeper"]);
  assert.equal(detail.start_count, 2);
  assert.equal(detail.restart_count, 0);
  await uni.ok(["restart", "keeper"]);
  assert.equal(await uni.ok(["exec", "keeper", "cat", "/var/data"]), "kept");
  await uni.ok(["rm", "-f", "keeper"]);
});

test("stop sends SIGTERM, and the program's own exit code is kept", async () => {
  await runScript(
    uni,
    "polite",
    "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 1000 & wait $!; done",
  );
  await until("it is ready", async () => (await uni.ok(["logs", "polite"])).includes("ready"));
  await uni.ok(["stop", "polite"]);
  assert.equal((await uni.json(["inspect", "polite"])).exit_code, 5);
  assert.match(await uni.ok(["logs", "polite"]), /bye/);
  await uni.ok(["rm", "polite"]);
});

test("a program that ignores SIGTERM is killed after the grace period", async () => {
  await runScript(uni, "stubborn", "trap '' TERM; echo ready; while :; do sleep 1; done");
  await until("it is ready", async () => (await uni.ok(["logs", "stubborn"])).includes("ready"));
  await uni.ok(["stop", "-t", "1", "stubborn"]);
  assert.equal((await uni.json(["inspect", "stubborn"])).exit_code, 137);
  await uni.ok(["rm", "stubborn"]);
});

test("kill sends the signal that it is told", async () => {
  await runScript(
    uni,
    "signalled",
    "trap 'echo got usr1; exit 3' USR1; echo ready; while :; do sleep 1000 & wait $!; done",
  );
  await until("it is ready", async () => (await uni.ok(["logs", "signalled"])).includes("ready"));
  await uni.ok(["kill", "-s", "USR1", "signalled"]);
  assert.equal(await uni.ok(["wait", "signalled"]), "3");
  await uni.ok(["rm", "signalled"]);
});

test("a failing program is restarted as its policy says, and no oftener", async () => {
  await runScript(uni, "failing", "echo try; exit 1", ["--restart", "on-failure:2"]);
  const detail = await until("it gave up", async () => {
    const seen = await uni.json(["inspect", "failing"]);
    return seen.state === "stopped" && seen.restart_count === 2 && seen;
  });
  assert.equal(detail.exit_code, 1);
  assert.equal(await uni.ok(["logs", "failing"]), "try\ntry\ntry");
  await uni.ok(["rm", "failing"]);
});

test("a program killed for memory says so and suggests a size", async () => {
  const { code } = await uni.uni([
    "run",
    "--attach",
    "--name",
    "greedy",
    "-m",
    "128",
    "busybox",
    "tail",
    "/dev/zero",
  ]);
  assert.equal(code, 137);
  const detail = await uni.json(["inspect", "greedy"]);
  assert.match(detail.exit_reason, /memory/);
  assert.match(detail.exit_reason, /try \D*256/);
  await uni.ok(["rm", "greedy"]);
});

test("a running instance is removed only by force, and then it is gone", async () => {
  assert.equal((await uni.refused(["rm", "first"])).code, "wrong_state");
  await uni.ok(["rm", "-f", "first"]);
  assert.deepEqual(await uni.json(["ps", "-a"]), []);
});

test("logs --tail gives the last lines, and follow ends with the instance", async () => {
  await runScript(uni, "chatty", "seq 1 100; read -r line </dev/null; exit 0");
  await uni.ok(["wait", "chatty"]);
  assert.equal(await uni.ok(["logs", "--tail", "2", "chatty"]), "99\n100");
  const followed = await uni.ok(["logs", "-f", "chatty"]);
  assert.equal(followed.split("\n").length, 100);
  await uni.ok(["rm", "chatty"]);
});

test("events tell what happened, in order", async () => {
  const events = uni.startUni(["events", "-f", "--output", "json"]);
  const seen = () =>
    events
      .stdout()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line))
      .filter(({ name }) => name === "watched");
  // The subscription is there once some event arrives.
  await until("events arrive", async () => {
    await uni.uni(["run", "--rm", "--attach", "busybox", "true"]);
    return events.stdout() !== "";
  });
  await uni.ok(["run", "--name", "watched", "busybox", "true"]);
  await uni.ok(["wait", "watched"]);
  await uni.ok(["rm", "watched"]);
  await until("the deletion is told", () => seen().some(({ type }) => type === "deleted"));
  const types = seen().map(({ type, state }) => (type === "state" ? state : type));
  const wanted = ["created", "starting", "running", "stopped", "deleted"];
  assert.deepEqual(
    types.filter((type) => wanted.includes(type)),
    wanted,
  );
  events.child.kill("SIGINT");
  await events.ended;
});

test("update changes what a stopped instance starts with", async () => {
  await runScript(uni, "changed", idle, ["-m", "128"]);
  await uni.ok(["stop", "changed"]);
  await uni.ok(["update", "--memory", "192", "changed"]);
  await uni.ok(["start", "changed"]);
  const detail = await uni.json(["inspect", "changed"]);
  assert.equal(detail.memory_mb, 192);
  const total = Number(await uni.ok(["exec", "changed", "sh", "-c", "head -1 /proc/meminfo | tr -dc 0-9"]));
  assert.ok(total > 140_000 && total < 192 * 1024, `the guest sees ${total} kB`);
  await uni.ok(["rm", "-f", "changed"]);
});
