/** What a client at the edge sees of a machine that wakes for it. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { edgeClient } from "../kit/load.ts";
import { buildBusybox, daemonForFile, runScript, serve } from "../kit/machine-test.ts";
import { runProgram } from "../kit/programs.ts";
import { reached, suspendToDisk } from "../kit/sleepers.ts";
import { until } from "../kit/until.ts";

const daemon = await daemonForFile({ env: { UNI_SLEEP_TO_DISK_AFTER: "1000" } });
const rootFile = join(daemon.directory, "root.pem");
await buildBusybox(daemon);
const root = `${await daemon.ok(["ca", "export"])}\n`;
writeFileSync(rootFile, root);

const fqdn = "nap.uni.localhost";

interface Answer {
  readonly body: string;
  readonly timings: readonly string[];
}

/** One connection for as many requests. */
async function fetchPages(count: number, ...options: readonly string[]): Promise<Answer[]> {
  const url = `https://${fqdn}/`;
  const fixed = ["-sSi", "--max-time", "90", "--cacert", rootFile, "--resolve", `${fqdn}:443:127.0.0.1`];
  const { code, stdout, stderr } = await runProgram("curl", [
    ...fixed,
    ...options,
    ...Array(count).fill(url),
  ]);
  assert.equal(code, 0, stderr);
  return stdout
    .split(/^HTTP\//m)
    .slice(1)
    .map((body) => ({
      body,
      timings: [...body.matchAll(/^server-timing: (.*)$/gim)].map(([, words = ""]) => words.trim()),
    }));
}

const timings = async (count: number): Promise<readonly (readonly string[])[]> => {
  const answers = await fetchPages(count);
  for (const { body } of answers) assert.match(body, /here/);
  return answers.map((answer) => answer.timings);
};

test("the first response after a sleep says how long the wake held it, and no other does", async () => {
  await runScript(daemon, "nap", serve("here"), [
    ...["-p", "443:8080", "--domain", "nap"],
    ...["--scale-to-zero", "idle", "--cooldown", "1", "--stateful"],
  ]);
  assert.deepEqual(await timings(2), [[], []]);
  await reached(daemon, "nap", "paused");
  const [first, ...others] = await timings(3);
  assert.match(first?.join() ?? "", /^wake;dur=\d+$/);
  assert.deepEqual(others, [[], []]);
  await suspendToDisk(daemon, "nap");
  const [fromDisk, ...later] = await timings(3);
  assert.match(fromDisk?.join() ?? "", /^wake;dur=\d+$/);
  assert.deepEqual(later, [[], []]);
  await daemon.ok(["rm", "-f", "nap"]);
});

/** It sleeps when it is told to, and not by itself. */
async function runPatient(): Promise<void> {
  await runScript(daemon, "nap", serve("here"), [
    ...["-p", "443:8080", "--domain", "nap"],
    ...["--scale-to-zero", "idle", "--cooldown", "600", "--stateful"],
  ]);
  assert.deepEqual(await timings(1), [[]]);
  await suspendToDisk(daemon, "nap");
}

test("fifty requests at once for one sleeper are all answered, after one wake", async () => {
  await runPatient();
  const starts = async (): Promise<number> => (await daemon.json(["inspect", "nap"])).start_count;
  const before = await starts();
  const clients = Array.from({ length: 50 }, (_, index) => edgeClient(`${index}`, fqdn, root, false));
  const answers = await Promise.all(clients.map((client) => client.ask()));
  for (const client of clients) client.close();
  assert.deepEqual([...new Set(answers)], ["here"]);
  assert.equal(await starts(), before + 1);
  await daemon.ok(["rm", "-f", "nap"]);
});

test("a wake that fails is told as one, and nobody is led to the sleeper's lost memory", async () => {
  await runPatient();
  const { uuid } = await daemon.json(["inspect", "nap"]);
  rmSync(join(daemon.dataDirectory, "instances", uuid, "sleep"), { recursive: true });
  const answers = await Promise.all(["--http1.1", "--http2"].map((version) => fetchPages(1, version)));
  assert.deepEqual(
    answers.flat().map(({ body }) => /^([\d.]+) 504.*Wake-up failed/s.exec(body)?.[1]),
    ["1.1", "2"],
  );
  await daemon.ok(["start", "--cold", "nap"]);
  assert.deepEqual(await timings(1), [[]]);
  await daemon.ok(["rm", "-f", "nap"]);
});

test("a request during the start waits for the program to listen", async () => {
  await runScript(daemon, "nap", `sleep 3; ${serve("here")}`, ["-p", "443:8080", "--domain", "nap"]);
  assert.deepEqual(await timings(1), [[]]);
  await daemon.ok(["rm", "-f", "nap"]);
});

test("a program that ran and listens no more is told at once", async () => {
  const script =
    "mkdir -p /www; echo here >/www/index.html; httpd -p 8080 -h /www; sleep 5; killall httpd; sleep 1000";
  await runScript(daemon, "nap", script, ["-p", "443:8080", "--domain", "nap"]);
  assert.deepEqual(await timings(1), [[]]);
  const answer = await until("it is told", async () => {
    const [page] = await fetchPages(1);
    return page?.body.includes("here") === false ? page.body : undefined;
  });
  assert.match(answer, /^[\d.]+ 502.*does not listen/s);
  await daemon.ok(["rm", "-f", "nap"]);
});
