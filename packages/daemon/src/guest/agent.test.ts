/** The real agent, built with sanitizers, on this host in namespaces of its own: the golden path of both sides together. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { afterEach, before, beforeEach, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { makeBusyboxRoot } from "../../../../test/kit/busybox-root.ts";
import { until } from "../../../../test/kit/until.ts";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { createGuestConnector } from "./connector.ts";
import type { FileEntry, GuestChannel, GuestConfig, GuestEvent, GuestExecSpec } from "./port.ts";

const repository = join(import.meta.dirname, "../../../..");
const program = join(repository, "build/guest/agent-test");
const signal = AbortSignal.timeout(120_000);
const connector = createGuestConnector({ clock: systemClock, log: silentLog });

let directory: string;
let root: string;
let socketPath: string;
let agent: ChildProcess;
let agentEnd: Promise<unknown>;
let complaints: string;
const channels: GuestChannel[] = [];

before(() => {
  execFileSync("make", ["-s", "-C", join(repository, "native/guest"), "agent-test"]);
});
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "agent-"));
  root = join(directory, "root");
  socketPath = join(directory, "socket");
  execFileSync("mkdir", [root]);
  makeBusyboxRoot(root);
  complaints = "";
  const unshare = ["--mount", "--pid", "--uts", "--net", "--fork", "--kill-child", "--mount-proc"];
  // Ends with this process, also when that is killed.
  agent = spawn("setpriv", ["--pdeathsig", "KILL", "--", "unshare", ...unshare, program, socketPath, root], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ASAN_OPTIONS: "detect_leaks=0" },
  });
  agentEnd = new Promise((resolve) => agent.once("exit", resolve));
  agent.stderr?.on("data", (chunk) => {
    complaints += chunk;
  });
  await until("the agent listens", () => existsSync(socketPath));
});
afterEach(async () => {
  for (const channel of channels.splice(0)) await channel.close();
  agent.kill("SIGKILL");
  await agentEnd;
  rmSync(directory, { recursive: true, force: true });
  assert.doesNotMatch(complaints, /Sanitizer|runtime error/);
});

const configOf = (argv: readonly string[], change: Partial<GuestConfig> = {}): GuestConfig => ({
  hostname: "web",
  network: { address: "10.98.0.2", gateway: "169.254.1.1", nameservers: ["192.0.2.53"] },
  machineId: "0123456789abcdef0123456789abcdef",
  mode: "run",
  program: { argv, env: { COLOUR: "blue" }, user: "", workingDirectory: "/srv/here", stopSignal: 15 },
  ...change,
});

async function connect(logOffset = 0): Promise<GuestChannel> {
  const channel = await connector.connect(socketPath, { logOffset, signal });
  channels.push(channel);
  return channel;
}

/** Collects events; `wait` resolves with the first of a kind. */
function collect(channel: GuestChannel) {
  const events: GuestEvent[] = [];
  channel.onEvent((event) => {
    events.push(event);
  });
  return {
    events,
    async wait<K extends GuestEvent["kind"]>(kind: K): Promise<Extract<GuestEvent, { kind: K }>> {
      await until(`an event ${kind}`, () => events.some((event) => event.kind === kind));
      return events.find((event) => event.kind === kind) as Extract<GuestEvent, { kind: K }>;
    },
    output(stream: "stdout" | "stderr"): string {
      return events.map((e) => (e.kind === "log" && e.stream === stream ? e.bytes.toString() : "")).join("");
    },
  };
}

async function start(argv: readonly string[], change: Partial<GuestConfig> = {}) {
  const channel = await connect();
  const seen = collect(channel);
  await channel.configure(configOf(argv, change));
  return { channel, seen };
}

const maintenance = () => start([], { mode: "maintenance" });
const idle = ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 1000 & wait $!; done"];

async function exec(
  channel: GuestChannel,
  argv: readonly string[],
  more: Partial<GuestExecSpec> = {},
  input = "",
) {
  const running = await channel.exec({ argv, env: {}, ...more });
  running.io.end(input);
  const [stdout, stderr, code] = await Promise.all([
    text(running.io),
    text(running.stderr),
    running.exitCode,
  ]);
  return { stdout, stderr, code };
}

const fails = (pattern: RegExp) => (error: unknown) =>
  error instanceof UniError && pattern.test(error.message);

test("a booted agent is recognised, one that is configured is not taken for it", async () => {
  await connector.awaitBooted(socketPath, signal);
  const { channel } = await maintenance();
  await channel.close();
  await assert.rejects(connector.awaitBooted(socketPath, signal), fails(/configured already/));
});

test("a program runs with its own environment, and its output, end and exit status arrive in order", async () => {
  const script = 'echo "$COLOUR $HOSTNAME $HOME $PWD"; cat /etc/hosts /etc/machine-id; echo oops >&2; exit 3';
  const { seen } = await start(["sh", "-c", script]);
  const exited = await seen.wait("exited");
  assert.deepEqual(exited, { kind: "exited", code: 3, signal: 0, oomKilled: false });
  const [first, ...rest] = seen.output("stdout").trimEnd().split("\n");
  assert.equal(first, "blue web /root /srv/here");
  assert.deepEqual(rest.slice(-2), ["10.98.0.2\tweb", "0123456789abcdef0123456789abcdef"]);
  assert.equal(seen.output("stderr"), "oops\n");
  assert.equal(seen.events[0]?.kind, "started");
  assert.equal(seen.events.at(-1)?.kind, "exited");
});

test("what cannot be started is told apart, with the reason", async () => {
  const cases: [readonly string[], number, RegExp][] = [
    [["nothing"], 127, /nothing: no such program in PATH/],
    [["/etc/passwd"], 126, /not executable/],
    [["/bin"], 126, /is a directory/],
    [["/script"], 127, /interpreter \/bin\/python is missing/],
  ];
  execFileSync("sh", ["-c", `printf '#!/bin/python\n' > ${root}/script && chmod 755 ${root}/script`]);
  const { channel } = await maintenance();
  for (const [argv, code, reason] of cases) {
    await assert.rejects(channel.exec({ argv, env: {} }), (error: UniError) => {
      assert.match(error.message, reason);
      assert.deepEqual(error.cause, { exitCode: code });
      return true;
    });
  }
  await assert.rejects(
    channel.exec({ argv: ["id"], env: {}, user: "nobody" }),
    fails(/user nobody is not in/),
  );
});

test("a program that cannot start says so once, with its code", async () => {
  const { seen } = await start(["/nowhere"]);
  const failed = await seen.wait("start-failed");
  assert.equal(failed.code, 127);
  assert.match(failed.reason, /\/nowhere/);
});

test("stop is polite first and final in the end", async () => {
  const { channel, seen } = await start(idle);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  await channel.stop(60_000);
  assert.deepEqual(await seen.wait("exited"), { kind: "exited", code: 0, signal: 0, oomKilled: false });
  assert.equal(seen.output("stdout"), "up\nbye\n");
});

test("a program that ignores the stop signal is killed when its grace is over", async () => {
  const { channel, seen } = await start(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1000; done"]);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  await channel.stop(50);
  const exited = await seen.wait("exited");
  assert.deepEqual([exited.code, exited.signal], [137, 9]);
});

test("a signal reaches the program, and there is an error when there is none", async () => {
  const { channel, seen } = await start([
    "sh",
    "-c",
    "trap 'echo hup; exit 1' HUP; echo up; while :; do sleep 1000 & wait $!; done",
  ]);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  await channel.signal(1);
  assert.equal((await seen.wait("exited")).code, 1);
  await assert.rejects(channel.signal(1), fails(/no program/));
});

test("what was not acknowledged is repeated to the next host, and nothing that was", async () => {
  const first = await connect();
  let handled = 0;
  first.onEvent((event) => {
    // The handler of a daemon that dies: "started" is stored, the rest is not.
    if (event.kind === "started") handled++;
    else return new Promise(() => {});
  });
  await first.configure(configOf(["sh", "-c", "echo one; echo two; exit 5"]));
  await until("the start is handled", () => handled === 1);
  await exec(first, ["true"]);
  await first.close();
  const again = collect(await connect(4));
  assert.equal((await again.wait("exited")).code, 5);
  assert.equal(again.output("stdout"), "two\n");
  assert.ok(!again.events.some((event) => event.kind === "started"));
});

test("without a host the oldest output is dropped and counted, and the program goes on", async () => {
  const go = join(root, "go");
  execFileSync("mkfifo", [go]);
  const { channel } = await start(["sh", "-c", "read line </go; seq 1 200000; touch /done; exit 6"]);
  await channel.close();
  writeFileSync(go, "go\n");
  await until("the program is done", () => existsSync(join(root, "done")));
  const seen = collect(await connect());
  assert.equal((await seen.wait("exited")).code, 6);
  const lost = await seen.wait("log-lost");
  const whole = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join("");
  assert.equal(lost.offset, 0);
  assert.equal(seen.output("stdout"), whole.slice(lost.bytes));
  assert.ok(whole.length - lost.bytes > 200_000);
});

test("process 1 passes on what a process of the guest sends to it", async () => {
  const { channel, seen } = await start(idle);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  assert.equal((await exec(channel, ["kill", "-TERM", "1"])).code, 0);
  assert.equal((await seen.wait("exited")).code, 0);
});

test("exec: standard streams, input with its end, exit status, user, directory and environment", async () => {
  const { channel } = await maintenance();
  const cat = await exec(channel, ["sh", "-c", "cat; echo done >&2; exit 9"], {}, "x".repeat(300_000));
  assert.deepEqual([cat.stdout.length, cat.stderr, cat.code], [300_000, "done\n", 9]);
  const loud = await exec(channel, ["sh", "-c", "yes | head -c 1000000 >&2"]);
  assert.deepEqual([loud.stderr.length, loud.code], [1_000_000, 0]);
  const long = "y".repeat(100_000);
  assert.equal(
    (await exec(channel, ["sh", "-c", "echo -n $LONG | wc -c"], { env: { LONG: long } })).stdout,
    "100000\n",
  );
  const id = await exec(channel, ["sh", "-c", "id; pwd; echo $COLOUR $MORE"], {
    user: "app",
    workingDirectory: "/tmp",
    env: { MORE: "yes" },
  });
  assert.match(id.stdout, /uid=1000\(app\) gid=1000\(app\) groups=.*2000\(extra\)\n\/tmp\nblue yes\n/);
  assert.equal((await exec(channel, ["sh", "-c", "kill -9 $$"])).code, 137);
});

test("exec with a terminal: it controls the session, has a size, and follows a resize", async () => {
  const { channel } = await maintenance();
  const shell = await channel.exec({ argv: ["sh"], env: {}, terminal: { rows: 30, columns: 100 } });
  let screen = "";
  shell.io.on("data", (chunk) => {
    screen += chunk;
  });
  shell.io.write("stty size; test -t 0 && echo yes\n");
  await until("the first size", () => /\n30 100\r\nyes\r\n/.test(screen));
  await shell.resize(40, 120);
  shell.io.write("stty size; sleep 1000\n");
  await until("the second size", () => screen.includes("\n40 120\r\n"));
  shell.io.write("\u0003");
  shell.io.write("exit 4\n");
  assert.equal(await shell.exitCode, 4);
});

test("a reader who does not read holds up nobody else, and gets all in the end", async () => {
  const { channel, seen } = await start(idle);
  const flood = await channel.exec({ argv: ["sh", "-c", "yes | head -c 3000000"], env: {} });
  assert.equal((await exec(channel, ["echo", "quick"])).stdout, "quick\n");
  await until("the program is up", () => seen.output("stdout") === "up\n");
  assert.equal((await buffer(flood.io)).length, 3_000_000);
  assert.equal(await flood.exitCode, 0);
});

test("signals go to all processes of an exec, and closing kills it", async () => {
  const { channel } = await maintenance();
  const sleeper = await channel.exec({ argv: ["sh", "-c", "sleep 1000 & wait"], env: {} });
  await sleeper.signal(15);
  assert.equal(await sleeper.exitCode, 143);
  await until("nothing runs", async () => (await channel.stats()).processes === 0);
  const forgotten = await channel.exec({ argv: ["sleep", "2000"], env: {} });
  assert.equal((await channel.stats()).processes, 1);
  await forgotten.close();
  await assert.rejects(forgotten.exitCode);
  await until("the closed one is gone", async () => (await channel.stats()).processes === 0);
});

test("a broken channel ends what it started", async () => {
  const { channel } = await maintenance();
  const running = await channel.exec({ argv: ["sleep", "1000"], env: {} });
  await channel.close();
  await assert.rejects(running.exitCode, fails(/channel was closed/));
  const next = await connect();
  await until("the old process is gone", async () => (await next.stats()).processes === 0);
});

test("files go in and come out as they were", async () => {
  const { channel } = await maintenance();
  const big = Buffer.alloc(700_000, "0123456789");
  const base = { uid: 1000, gid: 2000, mode: 0o640, mtimeMs: 1_600_000_000_000, size: 0 };
  const sent: [FileEntry, Buffer?][] = [
    [{ ...base, path: "tree", type: "directory", mode: 0o751 }],
    [{ ...base, path: "tree/big", type: "file", mode: 0o4755, size: big.length }, big],
    [{ ...base, path: "tree/empty", type: "file" }, Buffer.alloc(0)],
    [{ ...base, path: "tree/same", type: "hardlink", mode: 0o4755, target: "tree/big" }],
    [{ ...base, path: "tree/link", type: "symlink", mode: 0o777, target: "../../etc/passwd" }],
    [{ ...base, path: "tree/pipe", type: "fifo" }],
    [{ ...base, path: "tree/null", type: "char", device: { major: 1, minor: 3 } }],
  ];
  const writer = await channel.writeFiles("/tmp");
  for (const [entry, content] of sent) await writer.write(entry, content && Readable.from([content]));
  await writer.finish();
  const got = new Map<string, [FileEntry, Buffer]>();
  const reader = await channel.readFiles("/tmp/tree");
  for await (const { entry, content } of reader.entries())
    got.set(entry.path, [entry, await buffer(content)]);
  const contents = ["big", "same"].map((name) => got.get(name)?.[1] ?? Buffer.alloc(0));
  assert.ok(Buffer.concat(contents).equals(big));
  for (const [entry] of sent.filter(([each]) => !["tree/big", "tree/same"].includes(each.path))) {
    const path = entry.path.slice("tree/".length);
    assert.deepEqual(got.get(path)?.[0], { ...entry, path });
  }
  const kinds = ["big", "same"].map((name) => got.get(name)?.[0].type).sort();
  assert.deepEqual(kinds, ["file", "hardlink"]);
});

test("docker cp's rules: a new name, the parent that is missing, a link at the end", async () => {
  const { channel } = await maintenance();
  const file = (path: string): FileEntry => ({
    path,
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 2,
    mtimeMs: 0,
  });
  const write = async (to: string, path: string) => {
    const writer = await channel.writeFiles(to);
    await writer.write(file(path), Readable.from([Buffer.from("hi")]));
    await writer.finish();
  };
  await write("/tmp/renamed", "original");
  assert.equal((await exec(channel, ["cat", "/tmp/renamed"])).stdout, "hi");
  await assert.rejects(write("/tmp/missing/name", "x"), fails(/parent directory does not exist/));
  await assert.rejects(write("/tmp", "../x"), fails(/leaves its tree/));
  await exec(channel, ["ln", "-s", "renamed", "/tmp/l"]);
  for await (const { entry } of (await channel.readFiles("/tmp/l")).entries())
    assert.equal(entry.type, "symlink");
  const nothing = (await channel.readFiles("/none")).entries()[Symbol.asyncIterator]();
  await assert.rejects(nothing.next(), fails(/No such file/));
});

test("a transfer that is given up leaves nothing behind", async () => {
  const { channel } = await maintenance();
  const writer = await channel.writeFiles("/tmp");
  const entry: FileEntry = { path: "half", type: "file", mode: 0o644, uid: 0, gid: 0, size: 100, mtimeMs: 0 };
  await assert.rejects(writer.write(entry, Readable.from([Buffer.from("short")])), fails(/not of the size/));
  await writer.abort();
  await until("nothing is left", async () => (await exec(channel, ["ls", "-A", "/tmp"])).stdout === "");
});

test("a sparse file is as long as it was, and its holes are not sent as bytes", async () => {
  const { channel } = await maintenance();
  await exec(channel, ["dd", "if=/etc/passwd", "of=/tmp/holes", "bs=1", "count=5", "seek=3000000000"]);
  for await (const { entry, content } of (await channel.readFiles("/tmp/holes")).entries()) {
    assert.equal(entry.size, 3_000_000_005);
    content.destroy();
    break;
  }
});

test("stats are of this machine, refresh is taken", async () => {
  const { channel } = await maintenance();
  const stats = await channel.stats();
  assert.ok(stats.memoryTotalKb > stats.memoryAvailableKb && stats.memoryAvailableKb > 0);
  assert.ok(stats.diskTotalKb > 0 && stats.cpuMs > 0);
  await channel.refresh();
});

test("power off kills, reports, says goodbye and ends", async () => {
  const { channel, seen } = await start(idle);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  await channel.powerOff();
  await agentEnd;
  assert.equal((await seen.wait("exited")).signal, 9);
  await channel.closed;
});
