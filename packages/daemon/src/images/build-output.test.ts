import assert from "node:assert/strict";
import { test } from "node:test";
import { BuildOutput } from "./build-output.ts";
import type { OutputLine } from "./builder.ts";

test("lines are put together over cuts, steps are counted, controls are taken out", () => {
  const lines: OutputLine[] = [];
  const output = new BuildOutput((line) => lines.push(line));
  const stream = output.stream();
  for (const piece of [
    "STEP 1/",
    "2: FROM x\nhel",
    "lo\x1b[31m red\x1b[0m\x07\r\n",
    "[1/3] STEP 2/4: RUN y\n",
    "end",
  ]) {
    stream.push(Buffer.from(piece));
  }
  stream.end();
  assert.deepEqual(lines, [
    { text: "STEP 1/2: FROM x", step: { current: 1, total: 2 } },
    { text: "hello red " },
    { text: "[1/3] STEP 2/4: RUN y", step: { current: 2, total: 4 } },
    { text: "end" },
  ]);
});

test("a failure names the step and keeps the last lines", () => {
  const output = new BuildOutput(() => {});
  const stream = output.stream();
  stream.push(Buffer.from("STEP 2/3: RUN make\n"));
  for (let line = 0; line < 50; line++) stream.push(Buffer.from(`line ${line}\n`));
  const error = output.failure("web:1", "exit status 2");
  assert.equal(error.code, "build_failed");
  assert.match(error.message, /^build "web:1" at step 2\/3 \(RUN make\): exit status 2\nline 30\n/);
  assert.match(error.message, /\nline 49$/);
});

test("a base image that is not there is named in the hint", () => {
  const output = new BuildOutput(() => {});
  const stream = output.stream();
  stream.push(Buffer.from("Error: creating build container: nosuch:1: image not known\n"));
  assert.match(
    output.failure("web", "exit status 125").hint ?? "",
    /base image nosuch:1 is not on this machine/,
  );
});

test("a disk that is full is told as that, whoever found it so", () => {
  const output = new BuildOutput(() => {});
  assert.equal(output.failure("web", "take the result: write x: no space left on device").code, "no_space");
  output.stream().push(Buffer.from("cp: error writing 'x': No space left on device\n"));
  assert.equal(output.failure("web", "exit status 1").code, "no_space");
});

test("a line without an end is bounded", () => {
  const lines: OutputLine[] = [];
  const output = new BuildOutput((line) => lines.push(line));
  const stream = output.stream();
  for (let piece = 0; piece < 100; piece++) stream.push(Buffer.alloc(1000, "x"));
  stream.end();
  assert.equal(lines.length, 1);
  assert.ok((lines[0]?.text.length ?? 0) <= 2000);
});
