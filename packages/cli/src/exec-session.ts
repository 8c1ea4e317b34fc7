import type { ExecResult } from "@uni/contract/rpc";
import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import type { FrameStream } from "@uni/sdk/frame-stream";
import type { Context } from "./context.ts";
import { enterRawMode, terminalSize } from "./terminal.ts";
import { pause } from "./time.ts";

export interface SessionOptions {
  readonly interactive: boolean;
  readonly terminal: boolean;
  readonly onFrame: (frame: Frame) => Promise<void> | void;
}

const nothing = new Uint8Array(0);

/** Passes stdin on until it ends; a session that is over ends it with the process. */
async function pumpInput(stream: FrameStream<ExecResult>, stdin: NodeJS.ReadStream): Promise<void> {
  for await (const chunk of stdin as AsyncIterable<Uint8Array>)
    await stream.writeAll(frameKinds.stdin, chunk);
  await stream.write(frameKinds.end, nothing);
}

const longestHeldMs = 1000;

/**
 * Ctrl-C goes to the program, as the terminal would send it; the second one gives up on it. So does the first where it stays
 * behind input that the program does not read.
 */
function passSignals(
  { interrupts, signal: abandoned }: Context,
  stream: FrameStream<ExecResult>,
): () => void {
  let times = 0;
  return interrupts.take((signal) => {
    times += 1;
    if (times > 1) process.exit(130);
    let isHeld = true;
    const passed = () => {
      isHeld = false;
    };
    stream.writeJson(frameKinds.signal, { signal }).then(passed, passed);
    void pause(longestHeldMs, abandoned).then(() => isHeld && process.exit(130));
  });
}

/** Drives an exec to its end: input, window size, signals and output. Gives the terminal back on every way out. */
export async function driveExec(
  context: Context,
  stream: FrameStream<ExecResult>,
  { interactive, terminal, onFrame }: SessionOptions,
): Promise<number> {
  const { stdin } = context;
  const undo: (() => void)[] = [];
  try {
    undo.push(passSignals(context, stream));
    if (terminal) {
      const onResize = () => {
        void stream.writeJson(frameKinds.resize, terminalSize(process.stdout)).catch(() => {});
      };
      process.on("SIGWINCH", onResize);
      undo.push(() => process.off("SIGWINCH", onResize));
    }
    if (terminal && interactive && stdin.isTTY) undo.push(enterRawMode(stdin));
    // A failed write means that the session is over, and reading it tells how.
    if (interactive) void pumpInput(stream, stdin).catch(() => {});
    else await stream.write(frameKinds.end, nothing).catch(() => {});
    const { exit_code } = await stream.finish(onFrame);
    return exit_code;
  } finally {
    for (const step of undo.reverse()) step();
  }
}
