/** The program's own terminal and standard input, on the real agent. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configOf, fails, TestAgent } from "../../../../test/kit/test-agent.ts";
import { until } from "../../../../test/kit/until.ts";
import type { GuestProgram } from "./port.ts";

const agent = TestAgent.forEachTest();
const key = 7n;
const terminal = { rows: 30, columns: 90 };

const start = (script: string, change: Partial<GuestProgram>) => {
  const argv = ["sh", "-c", script];
  return agent.start(argv, { program: { ...configOf(argv).program, ...change } });
};

type Seen = Awaited<ReturnType<typeof start>>["seen"];
const says = (seen: Seen, text: string) =>
  until(`it says ${text}`, () => seen.output("stdout").includes(text));

test("a program has a terminal of its own, of the size that was asked for, and prints both streams to it", async () => {
  const script = 'stty size; echo "$TERM"; echo err >&2';
  const { channel, seen } = await start(script, { terminal });
  await seen.wait("exited");
  assert.deepEqual(seen.output("stdout").split("\r\n"), ["30 90", "xterm", "err", ""]);
  await assert.rejects(channel.openInput(key), fails(/has no input, or has ended/));
});

test("what is typed reaches the program, ctrl-c its foreground, and a new size is told", async () => {
  const script =
    "trap 'stty size' WINCH; trap 'echo interrupted' INT; echo up; while :; do read line && echo got $line; done";
  const { channel, seen } = await start(script, { terminal });
  const input = await channel.openInput(key);
  assert.equal(input.accepted, undefined);
  await says(seen, "up");
  await input.write(Buffer.from("one\n"));
  await says(seen, "got one");
  input.resize({ rows: 40, columns: 100 });
  await says(seen, "40 100");
  await input.write(Buffer.from("\u0003"));
  await says(seen, "interrupted");
  input.end();
  await input.write(Buffer.from("two\n"));
  await says(seen, "got two");
  await channel.signal(9);
  assert.equal(await input.over, "program");
});

test("an open standard input is passed on whole, and the program reads its end", async () => {
  const { channel, seen } = await start("wc -c", { stdinOpen: true });
  const input = await channel.openInput(key);
  const piece = Buffer.alloc(100_000, "x");
  for (let count = 0; count < 10; count++) await input.write(piece);
  input.end();
  assert.equal((await seen.wait("exited")).code, 0);
  assert.equal(seen.output("stdout").trim(), "1000000");
  assert.equal(await input.over, "program");
});

test("without a terminal or an open standard input there is none", async () => {
  const { channel, seen } = await start(
    "cat; echo at its end; read forever </proc/1/fd/nothing; sleep 1000",
    {},
  );
  await says(seen, "at its end");
  await assert.rejects(channel.openInput(key), fails(/has no input/));
});

test("input that was accepted outlives the channel, and who comes again hears how much that is", async () => {
  const { channel, seen } = await start("until [ -e /go ]; do sleep 0.05; done; wc -c", { stdinOpen: true });
  const input = await channel.openInput(key);
  await assert.rejects(channel.openInput(key), fails(/in use/));
  // More than a pipe holds, so that the agent keeps some of it.
  await input.write(Buffer.alloc(150_000, "x"));
  await channel.stats();
  await channel.close();
  assert.equal(await input.over, "channel");

  const second = await agent.connect(seen.output("stdout").length);
  const again = await second.openInput(key);
  assert.equal(again.accepted, 150_000);
  await again.write(Buffer.alloc(50_000, "y"));
  again.close();
  const other = await second.openInput(8n);
  assert.equal(other.accepted, undefined);
  other.end();
  writeFileSync(join(agent.root, "go"), "");
  const output = new Promise<string>((resolve) => {
    second.onEvent((event) => {
      if (event.kind === "log") resolve(event.bytes.toString());
    });
  });
  assert.equal((await output).trim(), "200000");
});

test("memory that becomes another's knows nobody's input, and its terminal goes on", async () => {
  const { channel, seen } = await start("echo up; while read line; do echo got $line; done", { terminal });
  await says(seen, "up");
  const input = await channel.openInput(key);
  await input.write(Buffer.from("one\n"));
  await says(seen, "got one");
  await channel.close();

  const clone = await agent.connect("anew");
  let printed = "";
  clone.onEvent((event) => {
    if (event.kind === "log") printed += event.bytes.toString();
  });
  const its = await clone.openInput(key);
  assert.equal(its.accepted, undefined);
  await its.write(Buffer.from("two\n"));
  await until("it answers", () => printed.includes("got two"));
});

test("a program that does not read holds up its own input alone", async () => {
  const { channel } = await start("sleep 1000", { stdinOpen: true });
  const input = await channel.openInput(key);
  let isWritten = false;
  const writing = input.write(Buffer.alloc(2 << 20)).then(() => {
    isWritten = true;
  });
  writing.catch(() => {});
  for (let count = 0; count < 20; count++) await channel.stats();
  assert.equal(isWritten, false);
  await channel.close();
  await assert.rejects(writing, fails(/closed|ended/));
});
