import type { Output } from "./output.ts";
import { cutTo, printable } from "./render/escape.ts";
import { terminalSize } from "./terminal.ts";
import { every, nowMs } from "./time.ts";

export interface ProgressView {
  update(message: string): void;
  /** Clears the line, so that something else can be printed; the spinner comes back. */
  clear(): void;
  /** Clears the line for good. */
  done(): void;
}

const frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const quietMs = 1000;

const silent: ProgressView = { update() {}, clear() {}, done() {} };

/**
 * A spinner with a message and the seconds so far on stderr, shown once an action has taken longer than a second; nothing
 * when stderr is not a terminal.
 */
export function startSpinner(out: Output, message: string): ProgressView {
  const stream = out.stderr;
  if (stream.isTTY !== true || out.structured || out.quiet) return silent;
  const started = nowMs();
  let text = message;
  let tick = 0;
  let shown = false;
  const draw = () => {
    const elapsed = nowMs() - started;
    if (elapsed < quietMs) return;
    shown = true;
    tick += 1;
    const frame = frames[tick % frames.length] ?? "";
    const seconds = ` (${Math.floor(elapsed / 1000)} s)`;
    const room = terminalSize(stream).columns - frame.length - seconds.length - 2;
    stream.write(`\r\u001b[K${frame} ${cutTo(printable(text), Math.max(room, 1))}${seconds}`);
  };
  const clear = () => {
    if (shown) stream.write("\r\u001b[K");
    shown = false;
  };
  const stop = every(120, draw);
  return {
    update(next) {
      text = next;
    },
    clear,
    done() {
      stop();
      clear();
    },
  };
}

/** Runs `task` under a spinner and clears it on every way out. */
export async function withSpinner<T>(out: Output, message: string, task: () => Promise<T>): Promise<T> {
  const spinner = startSpinner(out, message);
  try {
    return await task();
  } finally {
    spinner.done();
  }
}
