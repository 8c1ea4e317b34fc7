/** The terminal here joined to the program of an instance, which goes on without it. */
import { UniError } from "@uni/contract/errors";
import type { LogLine } from "@uni/contract/rpc";
import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import { jsonPayload } from "@uni/sdk/frame-stream";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { DetachWatch } from "./detach-watch.ts";
import { driveStream } from "./exec-session.ts";
import { stopOnInterrupt } from "./follow.ts";
import { logPrinter } from "./log-printer.ts";
import { type DetachKeys, defaultDetachKeys, parseDetachKeys } from "./parse/detach-keys.ts";
import { printable } from "./render/escape.ts";
import { requireTerminal, terminalSize } from "./terminal.ts";

export interface ConsoleOptions {
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly start?: boolean;
  readonly detachKeys: DetachKeys;
  /** Where Ctrl-C is not the program's, it stops the instance, and does not only leave it. */
  readonly stops?: boolean;
}

export const addDetachKeys = (command: Command): Command =>
  command.option(
    "--detach-keys <keys>",
    "keys that leave the instance to itself (default: ctrl-p,ctrl-q)",
    parseDetachKeys,
    defaultDetachKeys,
  );

/** Before anything is made or started for it. */
export function requireConsole(
  { stdin, out }: Context,
  { interactive, tty }: Pick<ConsoleOptions, "interactive" | "tty">,
): void {
  if (interactive && tty) requireTerminal(stdin);
  if (!out.structured) return;
  throw new UniError("exclusive", "running interactively: its input and --output do not go together");
}

function printFrames({ out }: Context, { tty }: ConsoleOptions): (frame: Frame) => Promise<void> | void {
  const print = logPrinter(out);
  return (frame) => {
    const { kind, payload } = frame;
    if (kind === frameKinds.stdout) return out.bytes(out.stdout, payload);
    if (kind === frameKinds.stderr) return out.bytes(out.stderr, payload);
    if (kind !== frameKinds.event) return;
    const line = jsonPayload(frame) as LogLine;
    // A raw terminal needs to be told to go back to the line's beginning.
    return tty ? out.bytes(out.stderr, `\r\nuni: ${printable(line.line)}\r\n`) : print(line);
  };
}

/** Ends with the program's exit status, if its user does not detach before. */
export async function driveConsole(
  context: Context,
  { id, name }: { readonly id: string; readonly name: string },
  options: ConsoleOptions,
): Promise<number | "detached"> {
  const { client, out, signal } = context;
  const { interactive, tty, start, detachKeys, stops = false } = options;
  const stream = await client.open(
    "VM.Console",
    {
      id,
      ...(start === true ? { start } : {}),
      ...(tty ? { terminal: terminalSize(process.stdout) } : {}),
    },
    { signal },
  );
  const release = stops && !(tty && interactive) ? stopOnInterrupt(context, id) : () => {};
  try {
    const status = await driveStream(context, stream, {
      interactive,
      terminal: tty,
      onFrame: printFrames(context, options),
      ...(tty && interactive ? { detach: new DetachWatch(detachKeys) } : {}),
    });
    if (status === "detached") out.note(`\nDetached; ${name} goes on. To come back: uni attach ${name}`);
    return status;
  } finally {
    release();
  }
}
