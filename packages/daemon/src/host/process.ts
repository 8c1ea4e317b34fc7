/**
 * The only file that starts processes. Always an argument array, never a shell; the environment is what the caller
 * gives plus PATH, so no secret of the daemon leaks into a child.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { favourNoMore } from "./priority.ts";

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it without root's rights. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** In a session of its own, as long work is that may take its share of the processors and no more. */
  readonly ownSession?: boolean;
  /** Called with each piece of stderr as it comes. */
  readonly onStderr?: (chunk: Buffer) => void;
  readonly onStdout?: (chunk: Buffer) => void;
  /** Bytes of stdout and of stderr kept, from the end. Default 16 MiB. */
  readonly keepBytes?: number;
}

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const path = process.env["PATH"] ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const defaultKeep = 16 << 20;

export function childEnvironment(env: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: path, LANG: "C.UTF-8", ...env };
}

/** Runs a program to its end. Rejects only if it could not be started, timed out or was aborted; see `runOk` for the rest. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: childEnvironment(options.env),
    stdio: ["pipe", "pipe", "pipe"],
    ...options.user,
    detached: options.ownSession ?? false,
    signal: options.signal,
    timeout: options.timeoutMs,
    killSignal: "SIGKILL",
  });
  child.on("error", (error: NodeJS.ErrnoException) => {
    if (options.signal?.aborted) return reject(options.signal.reason);
    if (error.code === "ENOENT") {
      return reject(
        new UniError("host_unfit", `start ${command}: program not found`, {
          hint: "Run ./scripts/setup, or install the package that brings it.",
          cause: error,
        }),
      );
    }
    reject(new UniError("failed", `start ${command}: ${error.message}`, { cause: error }));
  });
  // Out of descriptors it has no pipes either (ChildProcess.spawn of Node's lib/internal/child_process.js); the event says why.
  if (child.pid === undefined) return promise;
  if (options.ownSession) favourNoMore(child.pid);
  const stdout = new Tail(options.keepBytes ?? defaultKeep);
  const stderr = new Tail(options.keepBytes ?? defaultKeep);
  child.stdout.on("data", (chunk: Buffer) => {
    stdout.push(chunk);
    options.onStdout?.(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr.push(chunk);
    options.onStderr?.(chunk);
  });
  child.stdin.on("error", () => {}); // The child may end without reading its input.
  child.stdin.end(options.stdin);
  child.on("close", (code, signal) => {
    resolve({ code, signal, stdout: stdout.bytes(), stderr: stderr.bytes().toString() });
  });
  return promise;
}

/** Like `run`, and a non-zero end is an error that carries the last lines of stderr. */
export async function runOk(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await run(command, args, options);
  if (result.code === 0) return result;
  const end = result.signal === null ? `exit status ${result.code}` : `killed by ${result.signal}`;
  const reason = result.stderr.trim().split("\n").slice(-5).join("\n") || "no message";
  throw new UniError("failed", `${command}: ${end}: ${reason}`);
}

export interface DaemonProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** File descriptors for stdout and stderr, or "ignore". */
  readonly stdout?: number | "ignore";
  readonly stderr?: number | "ignore";
}

/** Starts a process that outlives this one: own session, no pipes. Await "spawn" or "error" on the result. */
export function startDetached(
  command: string,
  args: readonly string[],
  options: DaemonProcessOptions = {},
): ChildProcess {
  const child = spawn(command, args, {
    cwd: options.cwd ?? "/",
    env: childEnvironment(options.env),
    detached: true,
    stdio: ["ignore", options.stdout ?? "ignore", options.stderr ?? "ignore"],
  });
  if (child.pid !== undefined) favourNoMore(child.pid);
  child.unref();
  return child;
}

export interface ResidentProcess {
  write(text: string): void;
  /** Keeps this process going, or lets it end, while the child lives. */
  ref(): void;
  unref(): void;
  /** Kills it; harmless when it has ended. */
  kill(): void;
}

export interface ResidentOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Its name in the process list. Default: the command. */
  readonly argv0?: string;
  /** False: as what it starts is no part of the daemon, it has no more of the processors than others. */
  readonly favoured?: boolean;
  /** Each line of stdout, without its end. */
  readonly onLine: (line: string) => void;
  /** Once, when it can be of no use any more; the reason is its stderr if it said something. */
  readonly onEnd: (reason: string) => void;
}

/** Starts a helper that answers lines with lines, and ends with its input: when this process does, however that ends. */
export function startResident(
  command: string,
  args: readonly string[],
  { env, argv0, favoured = true, onLine, onEnd }: ResidentOptions,
): ResidentProcess {
  const child = spawn(command, args, {
    cwd: "/",
    env: childEnvironment(env),
    argv0,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.once("error", (error) => onEnd(error.message));
  if (child.pid === undefined) return { write() {}, ref() {}, unref() {}, kill() {} };
  if (!favoured) favourNoMore(child.pid);
  // Pipes of a child are sockets (child_process's documentation), which its types do not say.
  const handles = [
    child,
    child.stdin as Writable & Socket,
    child.stdout as Readable & Socket,
    child.stderr as Readable & Socket,
  ];
  const stderr = new Tail(defaultKeep);
  let rest = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on("error", () => {}); // "close" follows.
  child.once("close", (code, signal) =>
    onEnd(stderr.bytes().toString().trim() || `it ended: ${signal ?? code}`),
  );
  return {
    write: (text) => void child.stdin.write(text),
    ref() {
      for (const handle of handles) handle.ref();
    },
    unref() {
      for (const handle of handles) handle.unref();
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

export interface Conversation {
  /** Its next line of output, after it was told one; each is asked for once. Rejects with its stderr when it has ended. */
  ask(line?: string): Promise<string>;
  /** Kills it; harmless when it has ended. */
  end(): void;
}

/** A resident that is asked one thing after the other. */
export function converse(command: string, args: readonly string[]): Conversation {
  const answers: PromiseWithResolvers<string>[] = [];
  let asked = 0;
  let heard = 0;
  let ended: UniError | undefined;
  const answer = (at: number) => {
    answers[at] ??= Promise.withResolvers<string>();
    answers[at].promise.catch(() => {});
    return answers[at];
  };
  const process = startResident(command, args, {
    onLine: (line) => answer(heard++).resolve(line),
    onEnd(reason) {
      ended ??= new UniError("failed", `${command}: ${reason}`);
      for (let at = heard; at < asked; at++) answer(at).reject(ended);
    },
  });
  return {
    ask(line) {
      const next = answer(asked++);
      if (ended !== undefined) next.reject(ended);
      else if (line !== undefined) process.write(`${line}\n`);
      return next.promise;
    },
    end: () => process.kill(),
  };
}

class Tail {
  #chunks: Buffer[] = [];
  #length = 0;
  readonly #keep: number;

  constructor(keep: number) {
    this.#keep = keep;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#chunks.length > 1 && this.#length - (this.#chunks[0]?.length ?? 0) >= this.#keep) {
      this.#length -= this.#chunks.shift()?.length ?? 0;
    }
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks).subarray(-this.#keep);
  }
}
