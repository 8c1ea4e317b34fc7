/** The golden path of both sides of the channel together. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { collect, configOf, exec, fails, TestAgent } from "../../../../test/kit/test-agent.ts";
import { until } from "../../../../test/kit/until.ts";
import type { FileEntry } from "./port.ts";

const agent = TestAgent.forEachTest();
const idle = ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 1000 & wait $!; done"];

test("a booted agent is recognised, one that is configured is not taken for it", async () => {
  await agent.awaitBooted();
  const { channel } = await agent.maintenance();
  await channel.close();
  await assert.rejects(agent.awaitBooted(), fails(/configured already/));
});

test("a program runs with its own environment, and its output, end and exit status arrive in order", async () => {
  const script = 'echo "$COLOUR $HOSTNAME $HOME $PWD"; cat /etc/hosts /etc/machine-id; echo oops >&2; exit 3';
  const { seen } = await agent.start(["sh", "-c", script]);
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
  execFileSync("sh", [
    "-c",
    `printf '#!/bin/python\n' > ${agent.root}/script && chmod 755 ${agent.root}/script`,
  ]);
  const { channel } = await agent.maintenance();
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
  const { seen } = await agent.start(["/nowhere"]);
  const failed = await seen.wait("start-failed");
  assert.equal(failed.code, 127);
  assert.match(failed.reason, /\/nowhere/);
});

test("what is said while the channel is held reaches the guest when it is let go", async () => {
  const script =
    "trap 'echo told' USR1; echo up; until [ -e /go ]; do sleep 0.05; done; echo gone; while :; do sleep 0.05; done";
  const { channel, seen } = await agent.start(["sh", "-c", script]);
  const says = (text: string) => until(`it says ${text}`, () => seen.output("stdout").includes(text));
  await says("up");
  const letGo = channel.hold();
  const told = channel.signal(10);
  writeFileSync(join(agent.root, "go"), "");
  await says("gone");
  letGo();
  await told;
  await says("told");
  assert.equal(seen.output("stdout"), "up\ngone\ntold\n");
});

test("stop is polite first and final in the end", async () => {
  const { channel, seen } = await agent.start(idle);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  await channel.stop(60_000);
  assert.deepEqual(await seen.wait("exited"), { kind: "exited", code: 0, signal: 0, oomKilled: false });
  assert.equal(seen.output("stdout"), "up\nbye\n");
});

test("a program that ignores the stop signal is killed when its grace is over", async () => {
  const { channel, seen } = await agent.start([
    "sh",
    "-c",
    "trap '' TERM; echo up; while :; do sleep 1000; done",
  ]);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  await channel.stop(50);
  const exited = await seen.wait("exited");
  assert.deepEqual([exited.code, exited.signal], [137, 9]);
});

test("a signal reaches the program, and there is an error when there is none", async () => {
  const { channel, seen } = await agent.start([
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
  const first = await agent.connect();
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
  const again = collect(await agent.connect(4));
  assert.equal((await again.wait("exited")).code, 5);
  assert.equal(again.output("stdout"), "two\n");
  assert.ok(!again.events.some((event) => event.kind === "started"));
});

test("without a host the oldest output is dropped and counted, and the program goes on", async () => {
  const go = join(agent.root, "go");
  execFileSync("mkfifo", [go]);
  const { channel } = await agent.start(["sh", "-c", "read line </go; seq 1 200000; touch /done; exit 6"]);
  await channel.close();
  writeFileSync(go, "go\n");
  await until("the program is done", () => existsSync(join(agent.root, "done")));
  const seen = collect(await agent.connect());
  assert.equal((await seen.wait("exited")).code, 6);
  const lost = await seen.wait("log-lost");
  const whole = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join("");
  assert.equal(lost.offset, 0);
  assert.equal(seen.output("stdout"), whole.slice(lost.bytes));
  assert.ok(whole.length - lost.bytes > 200_000);
});

test("process 1 passes on what a process of the guest sends to it", async () => {
  const { channel, seen } = await agent.start(idle);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  assert.equal((await exec(channel, ["kill", "-TERM", "1"])).code, 0);
  assert.equal((await seen.wait("exited")).code, 0);
});

test("exec: standard streams, input with its end, exit status, user, directory and environment", async () => {
  const { channel } = await agent.maintenance();
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
  const { channel } = await agent.maintenance();
  const shell = await channel.exec({ argv: ["sh"], env: {}, terminal: { rows: 30, columns: 100 } });
  let screen = "";
  shell.io.on("data", (chunk) => {
    screen += chunk;
  });
  shell.io.write("stty size; test -t 0 && echo yes\n");
  await until("the first size", () => /\n30 100\r\nyes\r\n/.test(screen));
  await shell.resize(40, 120);
  // Told by who is interrupted then: it is in the foreground, and not between the shell's commands.
  shell.io.write("sh -c 'stty size; exec sleep 1000'\n");
  await until("the second size", () => screen.includes("\n40 120\r\n"));
  shell.io.write("\u0003");
  shell.io.write("exit 4\n");
  assert.equal(await shell.exitCode, 4);
});

test("what a terminal passes on in small pieces comes together: one a millisecond, and all of it", async () => {
  const { channel } = await agent.maintenance();
  const pieces = 1000;
  const aWhile = "j=0; while [ $j -lt 100 ]; do j=$((j+1)); done";
  const print = `i=0; while [ $i -lt ${pieces} ]; do echo $i; i=$((i+1)); ${aWhile}; done`;
  const shell = await channel.exec({
    argv: ["sh", "-c", print],
    env: {},
    terminal: { rows: 30, columns: 100 },
  });
  const began = performance.now();
  const chunks: Buffer[] = [];
  shell.io.on("data", (chunk) => chunks.push(chunk));
  await once(shell.io, "end");
  const ms = performance.now() - began;
  assert.equal(await shell.exitCode, 0);
  assert.deepEqual(
    `${Buffer.concat(chunks)}`.split("\r\n"),
    [...Array(pieces).keys(), ""].map((each) => `${each}`),
  );
  // The end is not waited for.
  assert.ok(chunks.length <= ms + 3, `${chunks.length} chunks in ${ms} ms`);
});

test("a reader who does not read holds up nobody else, and gets all in the end", async () => {
  const { channel, seen } = await agent.start(idle);
  const flood = await channel.exec({ argv: ["sh", "-c", "yes | head -c 3000000"], env: {} });
  assert.equal((await exec(channel, ["echo", "quick"])).stdout, "quick\n");
  await until("the program is up", () => seen.output("stdout") === "up\n");
  assert.equal((await buffer(flood.io)).length, 3_000_000);
  assert.equal(await flood.exitCode, 0);
});

test("signals go to all processes of an exec, and closing kills it", async () => {
  const { channel } = await agent.maintenance();
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
  const { channel } = await agent.maintenance();
  const running = await channel.exec({ argv: ["sleep", "1000"], env: {} });
  await channel.close();
  await assert.rejects(running.exitCode, fails(/channel was closed/));
  const next = await agent.connect();
  await until("the old process is gone", async () => (await next.stats()).processes === 0);
});

test("files go in and come out as they were", async () => {
  const { channel } = await agent.maintenance();
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
  const { channel } = await agent.maintenance();
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
  const { channel } = await agent.maintenance();
  const writer = await channel.writeFiles("/tmp");
  const entry: FileEntry = { path: "half", type: "file", mode: 0o644, uid: 0, gid: 0, size: 100, mtimeMs: 0 };
  await assert.rejects(writer.write(entry, Readable.from([Buffer.from("short")])), fails(/not of the size/));
  await writer.abort();
  await until("nothing is left", async () => (await exec(channel, ["ls", "-A", "/tmp"])).stdout === "");
});

test("a sparse file is as long as it was, and its holes are not sent as bytes", async () => {
  const { channel } = await agent.maintenance();
  await exec(channel, ["dd", "if=/etc/passwd", "of=/tmp/holes", "bs=1", "count=5", "seek=3000000000"]);
  for await (const { entry, content } of (await channel.readFiles("/tmp/holes")).entries()) {
    assert.equal(entry.size, 3_000_000_005);
    content.destroy();
    break;
  }
});

test("stats are of this machine, refresh is taken", async () => {
  const { channel } = await agent.maintenance();
  const stats = await channel.stats();
  assert.ok(stats.memoryTotalKb > stats.memoryAvailableKb && stats.memoryAvailableKb > 0);
  assert.ok(stats.diskTotalKb > 0 && stats.cpuMs > 0);
  await channel.refresh([]);
});

test("power off kills, reports, says goodbye and ends", async () => {
  const { channel, seen } = await agent.start(idle);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  await channel.powerOff();
  await agent.ended;
  assert.equal((await seen.wait("exited")).signal, 9);
  await channel.closed;
});
