import { PassThrough, Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import type { ExecParams, ExecResult } from "@uni/contract/rpc";
import { signalNumber } from "../base/signals.ts";
import type { GuestChannel } from "../guest/port.ts";

export interface RunningCommand {
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly result: Promise<ExecResult>;
  resize(rows: number, columns: number): Promise<void>;
  signal(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Runs a command in a guest. One that cannot be started ends as a shell would have it: reason on stderr, 126 or 127. */
export async function execInGuest(channel: GuestChannel, params: ExecParams): Promise<RunningCommand> {
  try {
    const exec = await channel.exec({
      argv: params.argv,
      env: params.env ?? {},
      user: params.user,
      workingDirectory: params.working_directory,
      terminal: params.terminal,
    });
    return {
      stdin: exec.io,
      stdout: exec.io,
      stderr: exec.stderr,
      result: exec.exitCode.then((code) => ({ exit_code: code })),
      resize: exec.resize,
      signal: (name) => exec.signal(signalNumber(name)),
      close: exec.close,
    };
  } catch (error) {
    const exitCode = startFailure(error);
    if (exitCode === undefined) throw error;
    return endedCommand((error as UniError).message, exitCode);
  }
}

function startFailure(error: unknown): number | undefined {
  if (!(error instanceof UniError) || error.code !== "guest_failed") return undefined;
  const { exitCode } = (error.cause ?? {}) as { exitCode?: unknown };
  return typeof exitCode === "number" ? exitCode : undefined;
}

function endedCommand(reason: string, exitCode: number): RunningCommand {
  return {
    stdin: new PassThrough().resume(),
    stdout: Readable.from([]),
    stderr: Readable.from([Buffer.from(`${reason}\n`)]),
    result: Promise.resolve({ exit_code: exitCode }),
    resize: async () => {},
    signal: async () => {},
    close: async () => {},
  };
}
