/** `uni tunnel`: ports of instances on this machine's loopback, carried by the daemon. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { after, test } from "node:test";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";
import type { Running } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

const tunnels: Running[] = [];
// Before the daemon looks for leftovers.
after(async () => {
  for (const { child, ended } of tunnels) {
    child.kill("SIGINT");
    await ended;
  }
});

const uni = await daemonForFile();
await buildBusybox(uni);
/** One port each: busybox's nc has a queue of two. */
const ports = Array.from({ length: 20 }, (_, index) => 7000 + index);
const echoes = ports.map((each) => `nc -ll -p ${each} -e cat &`).join(" ");
await runScript(uni, "echo", `${echoes} wait`);
await runScript(uni, "deaf", idle);

/** Runs it and returns the local port of each target. */
async function openTunnel(...targets: readonly string[]) {
  const tunnel = uni.startUni(["tunnel", ...targets]);
  tunnels.push(tunnel);
  const locals = await until("it listens", () => {
    assert.equal(tunnel.child.exitCode, null, tunnel.stderr());
    const found = [...tunnel.stdout().matchAll(/^127\.0\.0\.1:(\d+) -> .+\n/gm)];
    return found.length === targets.length && found.map(([, port]) => Number(port));
  });
  return { locals, tunnel };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {}); // Whoever reads meets it.
  await once(socket, "connect");
  return socket;
}

/** Also why there is no more. */
const everything = (socket: Socket): Promise<string> =>
  text(socket.iterator({ destroyOnReturn: false })).catch((error: NodeJS.ErrnoException) => `!${error.code}`);

/** It may be reset before it is seen to be open. */
const heardFrom = (port: number): Promise<string> => everything(connect({ port, host: "127.0.0.1" }));

async function echoed(port: number, words: string): Promise<string> {
  const socket = await open(port);
  socket.end(words);
  return everything(socket);
}

const { locals, tunnel } = await openTunnel(...ports.map((each) => `echo:${each}`));
const [port = 0] = locals;
await until("all programs listen", async () =>
  (await Promise.all(locals.map((each) => echoed(each, "hello")))).every((answer) => answer === "hello"),
);

test("nothing is exposed: the port is the loopback's, and the instance publishes none", async () => {
  assert.deepEqual((await uni.json(["inspect", "echo"])).ports, []);
});

test("a large transfer comes back as it was, and an end leaves the other way open", async () => {
  const sent = randomBytes(16 << 20);
  const socket = await open(port);
  const received = buffer(socket.iterator({ destroyOnReturn: false }));
  socket.end(sent);
  assert.ok((await received).equals(sent));
});

test("twenty connections at once keep apart", async () => {
  const letters = Array.from({ length: 20 }, (_, index) => String.fromCharCode(97 + index));
  const answers = await Promise.all(
    letters.map((letter, index) => echoed(locals[index] ?? 0, letter.repeat(50_000))),
  );
  const told = answers.map((answer) => `${answer.length} of ${[...new Set(answer)].join("")}`);
  assert.deepEqual(
    told,
    letters.map((letter) => `50000 of ${letter}`),
  );
});

test("a connection wakes one that sleeps, and an open one goes on after a nap", async () => {
  await uni.ok(["suspend", "echo"]);
  const socket = await open(port);
  socket.write("one");
  assert.equal(String(await once(socket, "data")), "one");
  await uni.ok(["suspend", "echo"]);
  socket.write("two");
  assert.equal(String(await once(socket, "data")), "two");
  socket.destroy();
});

test("a port without a listener resets the connection and is said, and the tunnel stays", async () => {
  const deaf = await openTunnel("deaf:81");
  const [closed = 0] = deaf.locals;
  assert.equal(await heardFrom(closed), "!ECONNRESET");
  await until("it is said", () => /port 81 of instance 'deaf': nobody listens/.test(deaf.tunnel.stderr()));
  assert.equal(deaf.tunnel.child.exitCode, null);
  await uni.ok(["stop", "deaf"]);
  assert.equal(await heardFrom(closed), "!ECONNRESET");
  await until("it is said", () => /instance 'deaf': it is stopped/.test(deaf.tunnel.stderr()));
});

test("an instance that stops resets its connections", async () => {
  const socket = await open(port);
  socket.write("one");
  await once(socket, "data");
  await uni.ok(["stop", "--force", "echo"]);
  assert.equal(await everything(socket), "!ECONNRESET");
  assert.match(tunnel.stderr(), /port 7000 of instance 'echo': it stopped/);
  await uni.ok(["start", "echo"]);
  await until("it listens again", async () => (await echoed(port, "hello")) === "hello");
});

test("a daemon that is killed ends what is open, and the next one carries on", async () => {
  const socket = await open(port);
  socket.write("one");
  await once(socket, "data");
  await uni.kill();
  assert.equal(await everything(socket), "!ECONNRESET");
  assert.equal(await heardFrom(port), "!ECONNRESET");
  await uni.start();
  assert.equal(await echoed(port, "again"), "again");
  assert.match(tunnel.stderr(), /connection to unid was lost/);
});

test("Ctrl-C ends it with status 130", async () => {
  tunnel.child.kill("SIGINT");
  assert.equal((await tunnel.ended).code, 130);
  await assert.rejects(open(port), { code: "ECONNREFUSED" });
});
