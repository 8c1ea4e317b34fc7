/** A program's own terminal and standard input. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildBusybox, daemonForFile } from "../kit/machine-test.ts";
import { onTerminal } from "../kit/on-terminal.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

const stateOf = async (name: string): Promise<string> => (await uni.json(["inspect", name])).state;
const isGone = async (name: string): Promise<boolean> => (await uni.uni(["inspect", name])).code !== 0;
const detach = "\u0010\u0011";

test("run -it is a shell: window, ctrl-c, exit status, and nothing left with --rm", async () => {
  const args = ["run", "-it", "--rm", "--name", "first", "-u", "app", "busybox", "sh"];
  const terminal = onTerminal(uni, args);
  await terminal.shows("$ ");
  terminal.type('stty size; tty; echo "$TERM"; test -O "$(tty)" && : <"$(tty)" && echo mine\r');
  for (const line of ["30 90\n", "/dev/pts/0\n", "xterm\n", "mine\n"]) await terminal.shows(line);
  terminal.resize(40, 100);
  terminal.type("while [ \"$(stty size)\" != '40 100' ]; do usleep 10000; done; echo as\\ wide\r");
  await terminal.shows("as wide\n");
  // It says so when it is in the foreground, and no longer its shell.
  const sleeper = "trap 'exit 9' INT; echo sleeping; while :; do usleep 10000; done";
  terminal.type(`sh -c "${sleeper}"; echo after $?\r`);
  await terminal.shows("sleeping\n");
  terminal.type("\u0003");
  await terminal.shows("after 9\n");
  terminal.type("exit 7\r");
  const { code, shown } = await terminal.ended;
  assert.equal(code, 7, shown);
  assert.ok(await isGone("first"));
});

test("detached from it goes on, and attaching comes back to it; its log has what it showed", async () => {
  const terminal = onTerminal(uni, ["run", "-it", "--name", "shell", "busybox", "sh"]);
  await terminal.shows("# ");
  terminal.type("x=kept\r");
  await terminal.shows("# ");
  terminal.type(`echo not sent${detach}`);
  await terminal.shows("uni attach shell");
  assert.equal((await terminal.ended).code, 0);
  assert.equal(await stateOf("shell"), "running");

  const again = onTerminal(uni, ["attach", "--detach-keys", "ctrl-x,q", "shell"]);
  again.type("; echo [$x]\r");
  await again.shows("not sent\n[kept]\n");
  again.type("stty size\r");
  await again.shows("30 90\n");
  again.type("\u0018q");
  assert.equal((await again.ended).code, 0);
  assert.match(await uni.ok(["logs", "shell"]), /not sent\r?\n\[kept\]/);
});

test("its terminal outlives a client that is killed, a daemon that is killed, and sleep on disk", async () => {
  const before = onTerminal(uni, ["attach", "shell"]);
  before.type("y=also\r");
  await before.shows("# ");
  await before.hangUp();
  await uni.kill();
  await uni.start();

  const terminal = onTerminal(uni, ["attach", "shell"]);
  terminal.type("echo [$x $y]\r");
  await terminal.shows("[kept also]\n");
  await uni.ok(["suspend", "shell"]);
  await until("it sleeps", async () => (await stateOf("shell")) === "standby");
  // What is typed wakes it.
  terminal.type("echo woken [$x]\r");
  await terminal.shows("woken [kept]\n");
  assert.equal(await stateOf("shell"), "running");
  terminal.type("stty size\r");
  await terminal.shows("30 90\n");
  terminal.type(detach);
  await terminal.ended;
});

test("a branch has a terminal of its own, as it was, and goes its own way", async () => {
  await uni.ok(["branch", "shell", "--name", "other"]);
  const other = onTerminal(uni, ["attach", "other"]);
  other.type("echo [$x $y]; x=other\r");
  await other.shows("[kept also]\n");
  const shell = onTerminal(uni, ["attach", "shell"]);
  shell.type("echo [$x]\r");
  await shell.shows("[kept]\n");
  other.type("echo [$x]; exit 3\r");
  await other.shows("[other]\n");
  assert.equal((await other.ended).code, 3);
  shell.type("exit 4\r");
  assert.equal((await shell.ended).code, 4);
  await uni.ok(["rm", "-f", "other"]);
});

test("start -ai begins it again, with nothing of the run before", async () => {
  const terminal = onTerminal(uni, ["start", "-ai", "shell"]);
  await terminal.shows("# ");
  terminal.type("echo [$x]; stty size; exit 5\r");
  await terminal.shows("[]\n30 90\n");
  const { code, shown } = await terminal.ended;
  assert.equal(code, 5);
  assert.doesNotMatch(shown, /kept/);
  await uni.ok(["rm", "shell"]);
});

test("run -i passes stdin on whole, with its end, and keeps stderr apart", async () => {
  const bytes = Buffer.alloc(3_000_000, "0123456789abcdef");
  const args = ["run", "-i", "--rm", "busybox", "sh", "-c", "wc -c; echo err >&2; exit 6"];
  const { code, stdout, stderr } = await uni.uni(args, { stdin: bytes });
  assert.deepEqual([code, stdout.trim(), stderr], [6, String(bytes.length), "err\n"]);
});

test("input is not lost, nor sent twice, by a sleep in the middle of it", async () => {
  const lines = Array.from({ length: 60_000 }, (_, index) => `${index}\n`).join("");
  const script = "sleep 3; md5sum";
  const running = uni.startUni(["run", "-i", "--name", "stream", "busybox", "sh", "-c", script], {
    stdin: lines,
  });
  await until("it runs", async () => !(await isGone("stream")) && (await stateOf("stream")) === "running");
  await uni.ok(["suspend", "stream"]);
  await uni.ok(["start", "stream"]);
  const { code, stdout, stderr } = await running.ended;
  const { createHash } = await import("node:crypto");
  assert.equal(code, 0, stderr);
  assert.equal(stdout.split(" ")[0], createHash("md5").update(lines).digest("hex"));
  await uni.ok(["rm", "stream"]);
});

test("without -i a program reads nothing, and -t needs a terminal here for -i", async () => {
  const { stdout } = await uni.uni(["run", "--rm", "--attach", "busybox", "wc", "-c"], {
    stdin: "not for you",
  });
  assert.equal(stdout.trim(), "0");
  const { code, stderr } = await uni.uni(["run", "-it", "--name", "never", "busybox", "sh"]);
  assert.equal(code, 64);
  assert.match(stderr, /standard input is not a terminal/);
  assert.ok(await isGone("never"), "nothing was made");
});

test("a program that floods its terminal waits for the log, and one that is not read holds up nobody", async () => {
  const terminal = onTerminal(uni, [
    "run",
    "-it",
    "--rm",
    "--name",
    "flood",
    "busybox",
    "sh",
    "-c",
    "seq 20000; echo done",
  ]);
  const { code, shown } = await terminal.ended;
  assert.equal(code, 0);
  const numbers = shown.split("\n").filter((line) => /^\d+$/.test(line));
  assert.equal(numbers.length, 20_000);
  const deaf = uni.startUni(
    ["run", "-i", "--rm", "--name", "deaf", "busybox", "sh", "-c", "read line; echo $line; sleep 1000"],
    {
      stdin: `first\n${"x".repeat(8 << 20)}`,
    },
  );
  await until("it has its first line", () => deaf.stdout().includes("first"));
  await uni.ok(["exec", "deaf", "true"]);
  await uni.ok(["stop", "--force", "deaf"]);
  assert.equal((await deaf.ended).code, 137);
});
