import type { ExecResult } from "@uni/contract/rpc";
import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import type { FrameStream } from "@uni/sdk/frame-stream";
import type { Context } from "./context.ts";
import type { DetachWatch } from "./detach-watch.ts";
import { enterRawMode, terminalSize } from "./terminal.ts";
import { pause } from "./time.ts";

export interface SessionOptions {
  readonly interactive: boolean;
  readonly terminal: boolean;
  readonly onFrame: (frame: Frame) => Promise<void> | void;
  /** Looks for the keys that end the session alone. */
  readonly detach?: DetachWatch;
}

const nothing = new Uint8Array(0);

/** Passes stdin on until it ends or the user detaches; a session that is over ends it with the process. */
async function pumpInput(
  stream: FrameStream<ExecResult>,
  stdin: NodeJS.ReadStream,
  detach: DetachWatch | undefined,
): Promise<"ended" | "detached"> {
  for await (const chunk of stdin as AsyncIterable<Uint8Array>) {
    const { passed, detached } = detach?.take(chunk) ?? { passed: chunk, detached: false };
    await stream.writeAll(frameKinds.stdin, passed);
    if (detached) return "detached";
  }
  await stream.write(frameKinds.end, nothing);
  return "ended";
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
  options: Omit<SessionOptions, "detach">,
): Promise<number> {
  const release = passSignals(context, stream);
  try {
    if (!options.interactive) await stream.write(frameKinds.end, nothing).catch(() => {});
    const status = await driveStream(context, stream, options);
    return status as number;
  } finally {
    release();
  }
}

/** The same with a program that its user may detach from, and whose signals are somebody else's to pass. */
export async function driveStream(
  { stdin }: Context,
  stream: FrameStream<ExecResult>,
  { interactive, terminal, onFrame, detach }: SessionOptions,
): Promise<number | "detached"> {
  const undo: (() => void)[] = [];
  let isDetached = false;
  try {
    if (terminal) {
      const onResize = () => {
        void stream.writeJson(frameKinds.resize, terminalSize(process.stdout)).catch(() => {});
      };
      process.on("SIGWINCH", onResize);
      undo.push(() => process.off("SIGWINCH", onResize));
    }
    if (terminal && interactive && stdin.isTTY) undo.push(enterRawMode(stdin));
    // A failed write means that the session is over, and reading it tells how.
    if (interactive) {
      const leave = (how: "ended" | "detached") => {
        isDetached = how === "detached";
        if (isDetached) stream.close();
      };
      pumpInput(stream, stdin, detach).then(leave, () => {});
    }
    const { exit_code } = await stream.finish(onFrame);
    return exit_code;
  } catch (error) {
    if (isDetached) return "detached";
    throw error;
  } finally {
    for (const step of undo.reverse()) step();
  }
}
