import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { type FakeDaemon, type Script, startFakeDaemon } from "./fake-daemon.ts";

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called with the process as soon as it runs, to send it signals. */
  readonly onStart?: (child: ChildProcess) => void;
}

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

export const uniMain = join(import.meta.dirname, "../../packages/cli/src/main.ts");

/** Runs the real CLI from source as a process of its own, with nothing of our environment that would steer it. */
export function runUni(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [uniMain, ...args], {
      cwd: options.cwd,
      env: { PATH: process.env.PATH, HOME: "/nonexistent", ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on("error", () => {});
    child.once("error", reject);
    child.once("close", (code) => {
      const bytes = Buffer.concat(stdout);
      resolve({
        code,
        stdout: bytes.toString("utf8"),
        stderr: Buffer.concat(stderr).toString("utf8"),
        bytes,
      });
    });
    child.stdin.end(options.input ?? "");
    options.onStart?.(child);
  });
}

export interface Talk extends RunResult {
  readonly calls: FakeDaemon["calls"];
}

/** One CLI process against one scripted daemon. */
export async function talk(script: Script, args: readonly string[], options: RunOptions = {}): Promise<Talk> {
  const daemon = await startFakeDaemon(script);
  try {
    const env = { UNI_SOCKET: daemon.socketPath, ...options.env };
    return { ...(await runUni(args, { ...options, env })), calls: daemon.calls };
  } finally {
    await daemon.close();
  }
}
