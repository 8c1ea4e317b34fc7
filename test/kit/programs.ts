/** Starting programs in tests: argument arrays, a deadline, all output kept. */
import { type ChildProcess, spawn } from "node:child_process";

export interface Ran {
  /** 128 + signal number is not computed here: a killed program has code null. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as it came, for what is not text. */
  readonly bytes: Buffer;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly deadlineMs?: number;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  stdout(): string;
  stderr(): string;
}

export function startProgram(command: string, args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: options.deadlineMs ?? 120_000,
    killSignal: "SIGKILL",
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on("error", () => {}); // It may end without reading its input.
  if (options.stdin !== undefined) child.stdin.end(options.stdin);
  const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
  const { promise: ended, resolve, reject } = Promise.withResolvers<Ran>();
  child.on("error", reject);
  child.on("close", (code) =>
    resolve({ code, stdout: text(stdout), stderr: text(stderr), bytes: Buffer.concat(stdout) }),
  );
  return { child, ended, stdout: () => text(stdout), stderr: () => text(stderr) };
}

export function runProgram(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return startProgram(command, args, { stdin: "", ...options }).ended;
}
