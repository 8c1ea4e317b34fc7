/** Real programs from Debian's packages, each from its example's Dockerfile, asked by their real clients. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { daemonForFile } from "../kit/machine-test.ts";
import { type Ran, type RunOptions, runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();

/** Builds examples/NAME, runs it, and returns the instance's address. */
async function runExample(name: string, options: readonly string[] = []): Promise<string> {
  await uni.ok(["build", `examples/${name}`, "-t", name], { deadlineMs: 300_000 });
  await uni.ok(["run", "--name", name, ...options, name]);
  return (await uni.json(["inspect", name])).private_ip;
}

const client = (command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  runProgram(command, args, { deadlineMs: 20_000, ...options });

/** Asks until the program answers well: it may still be starting. */
const answer = (command: string, args: readonly string[], options: RunOptions = {}): Promise<string> =>
  until(`${command} ${args.join(" ")} answers\n`, async () => {
    const { code, stdout } = await client(command, args, options);
    return code === 0 && stdout;
  });

/** Stops it as a person would; the program ends by itself, within its grace. */
async function stopsWell(name: string, codes: readonly number[]): Promise<void> {
  await uni.ok(["stop", name]);
  const { exit_code: code, exit_reason: reason } = await uni.json(["inspect", name]);
  assert.ok(codes.includes(code), `${name} ended with ${code}: ${reason}`);
}

const curl = ["-fsS", "--noproxy", "*", "--max-time", "10"];

test("hello: answers with its host name, and says when it stops", async () => {
  const address = await runExample("hello", ["-p", "18080:8080"]);
  assert.match(await answer("curl", [...curl, `http://${address}:8080/`]), /hello/);
  assert.match(await answer("curl", [...curl, "http://127.0.0.1:18080/"]), /hello/);
  await stopsWell("hello", [0]);
  const log = await uni.ok(["logs", "hello"]);
  assert.match(log, /listening/);
  assert.match(log, /stopping/);
  await uni.ok(["rm", "hello"]);
});

test("nginx: serves its page to curl, many times over one connection, and logs it", async () => {
  const address = await runExample("nginx");
  const url = `http://${address}/`;
  const page = await answer("curl", [...curl, url]);
  assert.match(page, /<html|<!doctype/i);
  const fifty = await client("curl", [...curl, "-o", "/dev/null", "-w", "%{http_code}\n", `${url}?[1-50]`]);
  assert.equal(fifty.stdout.match(/^200$/gm)?.length, 50, fifty.stderr);
  await until("the requests are in the log", async () => /GET \/\?50/.test(await uni.ok(["logs", "nginx"])));
  await stopsWell("nginx", [0]);
  await uni.ok(["rm", "nginx"]);
});

test("redis: keeps what redis-cli set over a stop and a start", async () => {
  const address = await runExample("redis");
  assert.match(await answer("redis-cli", ["-h", address, "ping"]), /PONG/);
  await client("redis-cli", ["-h", address, "set", "greeting", "hello"]);
  const many = Array.from({ length: 1000 }, (_, index) => `incr counter-${index % 10}`).join("\n");
  const counted = await client("redis-cli", ["-h", address], { stdin: `${many}\n` });
  assert.equal(counted.code, 0);
  assert.equal((await client("redis-cli", ["-h", address, "get", "counter-3"])).stdout.trim(), "100");
  const tunnel = uni.startUni(["tunnel", "redis:6379"]);
  const [, port = ""] = await until(
    "it listens",
    () => /127\.0\.0\.1:(\d+)/.exec(tunnel.stdout()) ?? undefined,
  );
  assert.match((await client("redis-cli", ["-p", port, "get", "greeting"])).stdout, /^hello$/m);
  tunnel.child.kill("SIGINT");
  await tunnel.ended;
  await stopsWell("redis", [0]);
  await uni.ok(["start", "redis"]);
  const greeting = () => client("redis-cli", ["-h", address, "get", "greeting"]);
  // Until it has read its file it answers that it is loading.
  await until("the greeting is back", async () => (await greeting()).stdout.trim() === "hello");
  await uni.ok(["rm", "-f", "redis"]);
});

test("python: answers curl, as the user that the Dockerfile names", async () => {
  const address = await runExample("python");
  await answer("curl", [...curl, `http://${address}:8000/`]);
  assert.equal(await uni.ok(["exec", "python", "id", "-un"]), "nobody");
  await uni.ok(["rm", "-f", "python"]);
});

test("node: answers curl", async () => {
  const address = await runExample("node");
  await answer("curl", [...curl, `http://${address}:3000/`]);
  await uni.ok(["rm", "-f", "node"]);
});

test("postgres: a real schema by psql, kept over a stop and a start", async () => {
  const address = await runExample("postgres", ["-m", "512", "-e", "POSTGRES_PASSWORD=secret"]);
  const connection = ["-h", address, "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-At"];
  const env = { PGPASSWORD: "secret", PGCONNECT_TIMEOUT: "5" };
  const psql = (sql: string) => answer("psql", [...connection, "-c", sql], { env });
  assert.equal((await psql("select 1")).trim(), "1");
  await psql("create table if not exists numbers (n int primary key, square int)");
  await psql("insert into numbers select n, n * n from generate_series(1, 1000) n on conflict do nothing");
  assert.equal((await psql("select sum(square) from numbers")).trim(), "333833500");
  await stopsWell("postgres", [0]);
  await uni.ok(["start", "postgres"]);
  assert.equal((await psql("select count(*) from numbers")).trim(), "1000");
  await uni.ok(["rm", "-f", "postgres"]);
});
