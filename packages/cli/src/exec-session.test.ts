import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { ExecResult } from "@uni/contract/rpc";
import type { FrameStream } from "@uni/sdk/frame-stream";
import type { Context } from "./context.ts";
import { driveExec } from "./exec-session.ts";

const never = new Promise<never>(() => {});

/** A session that is under way, and its Ctrl-C. */
function session(writeJson: () => Promise<void>): () => void {
  let interrupt = () => {};
  const context = {
    stdin: Readable.from([]),
    signal: new AbortController().signal,
    interrupts: {
      take(handler: (signal: string) => void) {
        interrupt = () => handler("SIGINT");
        return () => {};
      },
    },
  };
  const stream = { writeJson, writeAll: () => never, write: async () => {}, finish: () => never };
  void driveExec(context as unknown as Context, stream as unknown as FrameStream<ExecResult>, {
    interactive: true,
    terminal: false,
    onFrame() {},
  });
  return interrupt;
}

test("Ctrl-C that cannot pass the input before it ends the command, one that has passed does not", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const exit = t.mock.method(process, "exit", () => undefined as never);
  for (const [writeJson, statuses] of [
    [async () => {}, []],
    [() => never, [130]],
  ] as const) {
    exit.mock.resetCalls();
    session(writeJson)();
    await setImmediate();
    t.mock.timers.tick(1000);
    await setImmediate();
    assert.deepEqual(
      exit.mock.calls.map((call) => call.arguments),
      statuses.map((status) => [status]),
    );
  }
});
