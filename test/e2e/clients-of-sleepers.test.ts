/** Real clients whose programs fall asleep under them: sessions live on, and the next word wakes the machine. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { daemonForFile } from "../kit/machine-test.ts";
import { type Running, runProgram, startProgram } from "../kit/programs.ts";
import { reached, suspendToDisk } from "../kit/sleepers.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile({ env: { UNI_SLEEP_TO_DISK_AFTER: "1000" } });
const tiers = ["paused", "disk"] as const;

async function runSleepy(
  name: string,
  options: readonly string[],
  command: readonly string[] = [],
): Promise<string> {
  await uni.ok(["build", `examples/${name}`, "-t", name], { deadlineMs: 300_000 });
  const policy = ["--scale-to-zero", "idle", "--cooldown", "1", "--stateful"];
  await uni.ok(["run", "--name", name, ...policy, ...options, name, ...command]);
  return (await uni.json(["inspect", name])).private_ip;
}

async function asleep(name: string, tier: (typeof tiers)[number]): Promise<void> {
  await (tier === "disk" ? suspendToDisk(uni, name) : reached(uni, name, tier));
}

/** Types a line into a session, and waits until what it prints from here on fits. */
async function says(session: Running, line: string, answer: RegExp): Promise<void> {
  const before = session.stdout().length;
  if (line !== "") session.child.stdin?.write(`${line}\n`);
  await until(`the answer to '${line}' is ${answer}`, () => answer.test(session.stdout().slice(before)));
}

test("psql: a session in a transaction, with a temporary table, lives on", async () => {
  const host = await runSleepy("postgres", ["-m", "512", "-e", "POSTGRES_PASSWORD=secret"]);
  const args = ["-h", host, "-U", "postgres", "-At", "-v", "ON_ERROR_STOP=1"];
  const env = { PGPASSWORD: "secret", PGCONNECT_TIMEOUT: "20" };
  await until(
    "it takes statements",
    async () => {
      const { code } = await runProgram("psql", [...args, "-c", "select 1"], { env, deadlineMs: 20_000 });
      return code === 0;
    },
    120_000,
  );
  const session = startProgram("psql", args, { env });
  await says(
    session,
    "begin; create temporary table kept (n int); insert into kept values (41);",
    /INSERT 0 1/,
  );
  for (const [round, tier] of tiers.entries()) {
    await asleep("postgres", tier);
    await says(session, "update kept set n = n + 1 returning n;", new RegExp(`^${42 + round}$`, "m"));
  }
  await says(session, "commit; select 'kept', n from kept;", /kept\|43/);
  session.child.stdin?.end();
  assert.equal((await session.ended).code, 0);
  await asleep("postgres", "disk");
  const { stdout } = await runProgram("psql", [...args, "-c", "select 6 * 7"], { env });
  assert.equal(stdout.trim(), "42", "a new session wakes it");
  await uni.ok(["rm", "-f", "postgres"]);
});

test("redis-cli: a subscription gets its message after a sleep", async () => {
  const host = await runSleepy("redis", []);
  const redis = (...words: string[]) =>
    runProgram("redis-cli", ["-h", host, ...words], { deadlineMs: 30_000 });
  await until("it answers", async () => (await redis("ping")).stdout.trim() === "PONG");
  await redis("set", "greeting", "hello");
  const subscriber = startProgram("redis-cli", ["-h", host, "subscribe", "news"]);
  await says(subscriber, "", /subscribe/);
  for (const tier of tiers) {
    await asleep("redis", tier);
    assert.equal(
      (await redis("publish", "news", `out of ${tier}`)).stdout.trim(),
      "1",
      "it has its subscriber",
    );
    await until("the message", () => subscriber.stdout().includes(`out of ${tier}`));
    await asleep("redis", tier);
    assert.equal((await redis("get", "greeting")).stdout.trim(), "hello");
  }
  subscriber.child.kill();
  await subscriber.ended;
  await uni.ok(["rm", "-f", "redis"]);
});

/** For waiting for an event: what is lost fails the test, and does not hang it. */
const deadline = () => ({ signal: AbortSignal.timeout(60_000) });

/** Says back each message, with a number that it keeps in memory. Frames of RFC 6455, as small ones are. */
const echo = `
const http = require("node:http"), { createHash } = require("node:crypto");
let count = 0;
const server = http.createServer((_, response) => response.end("page " + ++count));
server.on("upgrade", ({ headers }, socket) => {
  const key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n");
  socket.on("data", (frame) => {
    if ((frame[0] & 15) !== 1) return socket.end();
    const mask = frame.subarray(2, 6), text = frame.subarray(6).map((byte, at) => byte ^ mask[at % 4]);
    const answer = Buffer.from(text + " " + ++count);
    socket.write(Buffer.concat([Buffer.from([0x81, answer.length]), answer]));
  });
  socket.on("error", () => {});
});
server.listen(3000, "0.0.0.0");
`;

test("through the edge: WebSocket, HTTP/2 and HTTP/1.1 clients", async () => {
  const ports = ["-m", "256", "-p", "443:3000", "--domain", "talk"];
  await runSleepy("node", ports, ["node", "-e", echo]);
  const fqdn: string = (await uni.json(["inspect", "node"])).service_group.domains[0].fqdn;
  const root = await uni.ok(["ca", "export"]);
  const rootFile = join(uni.directory, "root.pem");
  writeFileSync(rootFile, `${root}\n`);
  setDefaultCACertificates([...getCACertificates(), root]);
  // Our own namespace has a file of its own for it: the resolver need not know names below localhost.
  const hosts = join(uni.directory, "hosts");
  writeFileSync(hosts, `127.0.0.1 localhost ${fqdn}\n`);
  await runProgram("mount", ["--bind", hosts, "/etc/hosts"]);
  const curl = (version: string) =>
    runProgram("curl", ["-fsS", version, "--max-time", "40", "--cacert", rootFile, `https://${fqdn}/`]);
  await until("the page", async () => (await curl("--http1.1")).stdout.startsWith("page"));

  const socket = new WebSocket(`wss://${fqdn}/`);
  await once(socket, "open", deadline());
  for (const tier of tiers) {
    for (const version of ["--http1.1", "--http2"]) {
      await asleep("node", tier);
      const { stdout, stderr } = await curl(version);
      assert.match(stdout, /^page \d+$/, stderr);
    }
    await asleep("node", tier);
    const load = await runProgram("h2load", ["-n", "50", "-c", "5", "-m", "10", `https://${fqdn}/`]);
    assert.match(load.stdout, /50 succeeded, 0 failed/, load.stderr);
    await asleep("node", tier);
    const message = once(socket, "message", deadline());
    socket.send(`out of ${tier}`);
    const [{ data }] = await message;
    assert.match(data, new RegExp(`^out of ${tier} \\d+$`));
  }
  socket.close();
  await runProgram("umount", ["/etc/hosts"]);
  await uni.ok(["rm", "-f", "node"]);
});
