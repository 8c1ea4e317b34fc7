import assert from "node:assert/strict";
import { test } from "node:test";
import type { Progress } from "@uni/contract/rpc";
import { encodeJsonFrame, FrameDecoder, frameKinds } from "@uni/contract/stream-frames";
import { Output } from "./output.ts";
import { progressLines } from "./progress-lines.ts";

function view(columns: number) {
  const written: string[] = [];
  const stderr = {
    isTTY: true,
    columns,
    write: (chunk: string | Uint8Array) => written.push(String(chunk)) > 0,
    once: () => {},
  };
  const out = new Output({
    format: "table",
    quiet: false,
    colour: false,
    env: {},
    stdout: stderr,
    stderr,
  });
  const lines = progressLines(out, "building hello");
  const take = (progress: Progress) => {
    const [frame] = new FrameDecoder().push(encodeJsonFrame(frameKinds.progress, progress));
    if (frame !== undefined) lines.onFrame(frame);
  };
  return { lines, take, written };
}

/** The last thing that the line of the spinner showed, after what clears it and the turning sign. */
const spun = (written: readonly string[]) => written.at(-1)?.slice("\r\u001b[K⠙ ".length);

test("what counts up is a share on the spinner's line, whatever it counts", (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "Date"] });
  const { lines, take, written } = view(80);
  take({ step: "layers", message: "merging layers", current: 1, total: 2 });
  t.mock.timers.tick(2000);
  assert.equal(spun(written), "merging layers 50% (2 s)");
  take({ step: "context", message: "waiting", current: 7 });
  t.mock.timers.tick(120);
  assert.equal(spun(written), "waiting (2 s)");
  lines.done();
});

test("the steps of a build stay as lines on a terminal too", () => {
  const { lines, take, written } = view(80);
  take({ step: "build", message: "STEP 1/2: FROM a", current: 1, total: 2 });
  take({ step: "build", message: "STEP 2/2: RUN b", current: 2, total: 2 });
  lines.done();
  assert.deepEqual(written, ["STEP 1/2: FROM a\n", "STEP 2/2: RUN b\n"]);
});

test("a narrow terminal cuts the words, and one that tells no width counts as 80 columns", (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "Date"] });
  for (const [columns, shown] of [
    [20, "building h… (3 s)"],
    [0, "building hello (3 s)"],
  ] as const) {
    const { lines, written } = view(columns);
    t.mock.timers.tick(3000);
    assert.equal(spun(written), shown);
    lines.done();
  }
});
