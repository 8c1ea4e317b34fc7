/** A guest whose memory goes on as another's: what it is told, what its programs see, and what their waiting writes come to. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { collect, configOf, exec, fails, TestAgent } from "../../../../test/kit/test-agent.ts";
import { until } from "../../../../test/kit/until.ts";
import type { GuestBecoming, GuestChannel } from "./port.ts";

const agent = TestAgent.forEachTest();
const child = {
  id: "33333333-3333-4333-8333-333333333333",
  snapshot: "44444444-4444-4444-8444-444444444444",
  createdAtMs: 1_700_000_000_999,
};

const copy = (change: Partial<GuestBecoming> = {}): GuestBecoming => ({
  kind: "branch",
  instance: { id: "22222222-2222-4222-8222-222222222222", name: "copy" },
  hostname: "copy",
  network: { address: "10.98.0.9", gateway: "169.254.1.1", nameservers: ["192.0.2.54"] },
  mac: "02:00:00:00:00:09",
  machineId: "fedcba9876543210fedcba9876543210",
  roms: [],
  ...change,
});

async function shell(channel: GuestChannel, line: string): Promise<string> {
  const { stdout, stderr } = await exec(channel, ["sh", "-c", line]);
  return stdout + stderr;
}

/** A shell that runs `line` for as long as it takes, and what it has printed so far. */
async function background(channel: GuestChannel, line: string) {
  const running = await channel.exec({ argv: ["sh", "-c", line], env: {} });
  let printed = "";
  running.io.on("data", (chunk) => {
    printed += chunk;
  });
  running.stderr.on("data", (chunk) => {
    printed += chunk;
  });
  return { running, printed: () => printed };
}

/** A program that writes `text` to a file of the agent's as soon as it may, so that no session is there to end it. */
const program = (line: string) => ["sh", "-c", `read go </go; ${line}`];

async function startProgram(line: string) {
  execFileSync("mkfifo", [join(agent.root, "go")]);
  const { channel, seen } = await agent.start(program(line));
  writeFileSync(join(agent.root, "go"), "go\n");
  return { channel, seen };
}

test("it has the host name, the files and the name of the other, and keeps what the program wrote into them", async () => {
  const { channel } = await agent.maintenance();
  assert.equal(
    await shell(channel, "cat /uk/libukp/instance"),
    "UUID=11111111-1111-4111-8111-111111111111\nNAME=web\n",
  );
  writeFileSync(
    join(agent.root, "etc/hosts"),
    `${readFileSync(join(agent.root, "etc/hosts"), "utf8")}192.0.2.1\tmine\n`,
  );
  await channel.become(copy());
  const lines = "hostname; cat /etc/hostname /etc/resolv.conf /etc/machine-id /uk/libukp/instance";
  assert.equal(
    await shell(channel, lines),
    "copy\ncopy\nnameserver 192.0.2.54\nfedcba9876543210fedcba9876543210\nUUID=22222222-2222-4222-8222-222222222222\nNAME=copy\n",
  );
  const hosts = await shell(channel, "cat /etc/hosts");
  assert.match(hosts, /^127.0.0.1\tlocalhost\n[\s\S]*\n10.98.0.9\tcopy\n192.0.2.1\tmine\n$/);
  assert.doesNotMatch(hosts, /web/);
  writeFileSync(join(agent.root, "etc/resolv.conf"), "search mine\n");
  await channel.become(copy());
  await channel.become(copy({ hostname: "third" }));
  assert.equal(await shell(channel, "hostname; cat /etc/resolv.conf"), "third\nsearch mine\n");
});

test("a guest that is not configured cannot become another, and one that may not tell all of who is refused", async () => {
  const channel = await agent.connect();
  await assert.rejects(channel.become(copy()), fails(/not configured/));
  await channel.configure(configOf([], { mode: "maintenance" }));
  await assert.rejects(channel.become(copy({ mac: "02" })), fails(/malformed/));
  const rom = { name: "data", at: "/data", slot: 0 };
  await assert.rejects(channel.become(copy({ roms: [rom] })), fails(/ROM/));
  assert.equal(
    await shell(channel, "cat /uk/libukp/instance"),
    "UUID=11111111-1111-4111-8111-111111111111\nNAME=web\n",
  );
  await channel.become(copy());
});

test("programs hear of it by a line, and by a signal if they chose one", async () => {
  const { channel, seen } = await agent.start([
    "sh",
    "-c",
    "trap 'echo usr1' USR1; echo USR1 >/uk/libukp/clone_signal; echo up; while :; do sleep 1000 & wait $!; done",
  ]);
  await until("the program is up", () => seen.output("stdout") === "up\n");
  const listener = await background(
    channel,
    "exec 3</uk/libukp/notify; echo ready; while read l <&3; do echo $l; done",
  );
  await until("the listener has opened its file", () => listener.printed() === "ready\n");
  await channel.become(copy());
  await until("the program heard", () => seen.output("stdout") === "up\nusr1\n");
  await channel.become(copy({ kind: "rewind" }));
  await until("the listener heard", () => {
    const id = "22222222-2222-4222-8222-222222222222";
    return listener.printed() === `ready\ncloned ${id}\nrewound ${id}\n`;
  });
  assert.equal(
    await shell(channel, "echo none >/uk/libukp/clone_signal; cat /uk/libukp/clone_signal"),
    "none\n",
  );
});

test("output and events from before are no concern of who connects anew, and offsets begin again", async () => {
  // Not the first again: whoever opens that before its writer has closed it reads an end.
  execFileSync("mkfifo", [join(agent.root, "again")]);
  const { channel, seen } = await startProgram("echo before; read go </again; echo after; exit 3");
  await until("the first line", () => seen.output("stdout") === "before\n");
  await channel.close();
  const second = await agent.connect("anew");
  await second.become(copy());
  const rest = collect(second);
  writeFileSync(join(agent.root, "again"), "go\n");
  await rest.wait("exited");
  assert.equal(rest.output("stdout"), "after\n");
  assert.equal((await rest.wait("log")).offset, 0);
  assert.ok(!rest.events.some(({ kind }) => kind === "log-lost"));
});

test("asking to become a template blocks, and returns in the clone", async () => {
  const { channel, seen } = await startProgram("echo 1 >/uk/libukp/template_instance && echo cloned");
  const { request } = await seen.wait("template-requested");
  await channel.close();
  // The same host comes back, and hears of it again; a clone's host does not.
  const again = collect(await agent.connect(0));
  assert.equal((await again.wait("template-requested")).request, request);
  assert.equal(again.output("stdout"), "");
  await agent.closeAll();
  const clone = await agent.connect("anew");
  const rest = collect(clone);
  await clone.become(copy({ kind: "template" }));
  await rest.wait("exited");
  assert.equal(rest.output("stdout"), "cloned\n");
  assert.ok(!rest.events.some(({ kind }) => kind === "template-requested"));
});

test("a template that is refused fails the write with the reason's error, each time", async () => {
  const { channel, seen } = await agent.maintenance();
  const file = "/uk/libukp/template_instance";
  const cases = [
    ["refused", /not permitted/],
    ["limit", /temporarily unavailable/],
    ["no_space", /No space left/],
    ["failed", /Input\/output error|I\/O error/],
  ] as const;
  for (const [failure, reason] of cases) {
    const known = seen.events.length;
    const writing = shell(channel, `echo 1 >${file}`);
    await until("the host hears", () => seen.events.length > known);
    const event = seen.events.at(-1);
    assert.equal(event?.kind, "template-requested");
    await channel.answerTemplate(event.request, failure);
    assert.match(await writing, reason);
  }
  assert.match(await shell(channel, `echo 2 >${file}`), /Invalid argument/);
});

test("a writer that is killed while it waits goes at once, and the last one withdraws the request", async () => {
  const { channel, seen } = await agent.maintenance();
  const { running } = await background(channel, "echo 1 >/uk/libukp/template_instance");
  const { request } = await seen.wait("template-requested");
  await running.signal(9);
  assert.equal(await running.exitCode, 137);
  assert.equal((await seen.wait("template-withdrawn")).request, request);
  await channel.answerTemplate(request, "failed");
});

test("a fork: the thread that wrote reads its child, which has a directory and an end to wait for", async () => {
  const { channel, seen } = await agent.maintenance();
  const line = `cd /uk/libukp; echo x >fork; read id <fork; echo $id; cat fork; cd vm/$id; cat [!w]*; echo >wait; cat wait`;
  const forking = await background(channel, line);
  const { request } = await seen.wait("fork-requested");
  await channel.answerFork(request, child);
  const whole = `${child.id}\n${1_700_000_000}\n${child.snapshot}\nStarting\n`;
  await until("the parent waits", () => forking.printed().startsWith(whole));
  await channel.childChanged({ id: child.id, status: "running" });
  await channel.childChanged({ id: "55555555-5555-4555-8555-555555555555", status: "stopped" });
  await channel.childChanged({ id: child.id, status: "stopped", exitCode: 7 });
  assert.equal(await forking.running.exitCode, 0);
  assert.match(forking.printed(), /Starting\n7\n$/);
  assert.equal(await shell(channel, `cat /uk/libukp/vm/${child.id}/status`), "Stopped\n");
});

test("a child has no children, and those of its parent are stale", async () => {
  const forks = "cd /uk/libukp; echo x >fork && read id <fork && echo $id";
  const { channel, seen } = await startProgram(
    `${forks}; cd vm/*/ && echo in; read go </go; cat status; ls /uk/libukp/vm`,
  );
  const { request } = await seen.wait("fork-requested");
  await channel.answerFork(request, child);
  await until("the parent is in its child's directory", () => seen.output("stdout").endsWith("in\n"));
  await channel.close();
  const second = await agent.connect("anew");
  const rest = collect(second);
  await second.become(copy({ kind: "fork" }));
  writeFileSync(join(agent.root, "go"), "go\n");
  await rest.wait("exited");
  assert.match(rest.output("stderr"), /[Ss]tale/);
  assert.equal(rest.output("stdout"), "");
});

test("a fork that waits while its machine is copied succeeds in the child", async () => {
  const { channel, seen } = await startProgram("cd /uk/libukp; echo x >fork && read id <fork && echo $id");
  await seen.wait("fork-requested");
  await channel.close();
  const second = await agent.connect("anew");
  const rest = collect(second);
  await second.become(copy({ kind: "fork" }));
  await rest.wait("exited");
  assert.equal(rest.output("stdout"), "00000000-0000-0000-0000-000000000000\n");
  assert.ok(!rest.events.some(({ kind }) => kind === "fork-requested"));
});

test("programs that fork as fast as they can are heard one at a time, and a full queue is busy", async () => {
  const { channel, seen } = await agent.maintenance();
  const loop = "i=0; while [ $i -lt 60 ]; do (echo x >/uk/libukp/fork) & i=$((i+1)); done; wait";
  const { running, printed } = await background(channel, loop);
  const count = (what: RegExp) => printed().match(what)?.length ?? 0;
  await until("a queue of 16 is full", () => count(/busy/g) === 60 - 16);
  for (let answered = 0; answered < 16; answered++) {
    await until("a request", () => seen.events.length > answered);
    const event = seen.events[answered];
    assert.equal(event?.kind, "fork-requested");
    await channel.answerFork(event.request, "limit");
    await until("the write has failed", () => count(/unavailable/g) === answered + 1);
  }
  assert.equal(await running.exitCode, 0);
  assert.equal(seen.events.length, 16);
});
