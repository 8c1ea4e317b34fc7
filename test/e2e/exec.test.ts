/** Commands inside a running instance. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";
import { runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);
await runScript(uni, "web", idle, ["-e", "FROM_RUN=yes", "-w", "/var"]);

const inside = (args: readonly string[], options: readonly string[] = [], stdin?: string | Uint8Array) =>
  uni.uni(["exec", ...options, "web", ...args], stdin === undefined ? {} : { stdin });

test("stdout, stderr and exit status come back", async () => {
  const { code, stdout, stderr } = await inside(["sh", "-c", "echo out; echo err >&2; exit 42"]);
  assert.deepEqual([code, stdout, stderr], [42, "out\n", "err\n"]);
});

test("a program that is not there ends with 127", async () => {
  const { code, stderr } = await inside(["no-such-program"]);
  assert.equal(code, 127);
  assert.match(stderr, /no-such-program/);
});

test("it has the environment and directory of the instance, and what is added", async () => {
  const { stdout } = await inside(
    ["sh", "-c", "echo $FROM_RUN $FROM_EXEC; pwd; id -un"],
    ["-e", "FROM_EXEC=too"],
  );
  assert.equal(stdout, "yes too\n/var\nroot\n");
  const other = await inside(["sh", "-c", "pwd; id -un"], ["-w", "/tmp", "-u", "app"]);
  assert.equal(other.stdout, "/tmp\napp\n");
  const nowhere = await inside(["pwd"], ["-w", "/no/such"]);
  assert.equal(nowhere.code, 126, "a directory that is not there is not made");
  assert.match(nowhere.stderr, /working directory \/no\/such: No such file or directory/);
});

test("stdin reaches it whole and ends", async () => {
  const bytes = Buffer.alloc(3_000_000, "0123456789abcdef");
  const { code, stdout } = await inside(["sh", "-c", "wc -c"], ["-i"], bytes);
  assert.equal(code, 0);
  assert.equal(stdout.trim(), String(bytes.length));
});

test("without -i it reads nothing", async () => {
  const { stdout } = await inside(["sh", "-c", "wc -c"], [], "not for you");
  assert.equal(stdout.trim(), "0");
});

test("much output arrives whole and in order, and holds up nothing else", async () => {
  const slow = inside(["seq", "1", "200000"]);
  assert.equal((await inside(["echo", "meanwhile"])).stdout, "meanwhile\n");
  const { stdout } = await slow;
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 200_000);
  assert.equal(lines.at(-1), "200000");
});

test("binary output is not changed", async () => {
  const { bytes } = await inside(["sh", "-c", "printf '\\000\\377\\r\\n\\200'"]);
  assert.deepEqual([...bytes], [0, 255, 13, 10, 128]);
});

test("with -t it has a terminal of the caller's size", async () => {
  const line = "stty rows 33 cols 77; exec bin/uni exec -it web sh -c 'tty; stty size; exit 4'";
  const { code, stdout } = await runProgram("script", ["-qec", line, "/dev/null"], {
    env: { UNI_SOCKET: uni.socket, SHELL: "/bin/sh" },
  });
  assert.equal(code, 4);
  assert.match(stdout, /\/dev\/pts\/\d+/);
  assert.match(stdout, /33 77/);
});

test("a client that goes away takes its command with it", async () => {
  const running = uni.startUni(["exec", "web", "sh", "-c", "echo started; exec sleep 4242"]);
  await until("it runs", () => running.stdout().includes("started"));
  running.child.kill("SIGKILL");
  await running.ended;
  const left = "ps | grep 'sleep 424[2]'";
  await until(
    "the guest's process is gone",
    async () => (await inside(["sh", "-c", left])).code !== 0,
    20_000,
  );
});

test("a stopped instance is refused, and told how to start", async () => {
  await uni.ok(["stop", "web"]);
  const refusal = await uni.refused(["exec", "web", "true"]);
  assert.equal(refusal.code, "wrong_state");
  assert.match(refusal.hint ?? "", /start/);
});
