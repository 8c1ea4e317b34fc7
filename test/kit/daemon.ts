/**
 * A real daemon for a test: the bundle that bin/unid runs, with a data directory of its own. The test file must have
 * called `enterOwnNamespaces` first. One daemon serves one file; `stop` checks that nothing is left.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leftovers } from "./leftovers.ts";
import { type Ran, type Running, type RunOptions, runProgram, startProgram } from "./programs.ts";
import { until } from "./until.ts";

const root = join(import.meta.dirname, "../..");

export interface DaemonOptions {
  /** Where the data directory goes; default: a new temporary directory. */
  readonly directory?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RestAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape, wrong ones too
  readonly body: any;
}

export class TestDaemon {
  readonly directory: string;
  readonly dataDirectory: string;
  readonly socket: string;
  readonly #env: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;

  constructor({ directory, env }: DaemonOptions = {}) {
    this.directory = directory ?? mkdtempSync(join(tmpdir(), "e-"));
    // The unprivileged users of the VMM reach their sockets and disks through it.
    chmodSync(this.directory, 0o755);
    this.dataDirectory = join(this.directory, "d");
    this.socket = join(this.directory, "s");
    this.#env = { UNI_CACHE_DIR: process.env["UNI_CACHE_DIR"] ?? "/var/cache/uni", ...env };
  }

  get logPath(): string {
    return join(this.directory, "unid.log");
  }

  get pid(): number {
    assert.ok(this.#process?.pid !== undefined, "the daemon does not run");
    return this.#process.pid;
  }

  async start(): Promise<void> {
    const log = openSync(this.logPath, "a");
    // The daemon writes it last; one of an earlier daemon says where nobody listens any more.
    const listen = join(this.dataDirectory, "listen");
    rmSync(listen, { force: true });
    const args = ["--data-dir", this.dataDirectory, "--listen", "127.0.0.1:0", "--socket", this.socket];
    const child = spawn(join(root, "bin/unid"), args, {
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", log, log],
      // As a service manager does.
      detached: true,
    });
    closeSync(log);
    this.#process = child;
    await until("the daemon answers", () => {
      const end = child.exitCode ?? child.signalCode;
      if (end !== null) throw new Error(`unid ended at its start: ${end}`);
      return existsSync(listen) && answers(this.socket);
    }).catch((error: unknown) => {
      throw new Error(`starting unid: its log ends with\n${this.logTail()}`, { cause: error });
    });
  }

  logTail(lines = 30): string {
    return readFileSync(this.logPath, "utf8").split("\n").slice(-lines).join("\n");
  }

  /** Runs the CLI against this daemon. */
  uni(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return runProgram(join(root, "bin/uni"), args, this.#cliOptions(options));
  }

  /** Like `uni`, and a status other than 0 fails the test with all that was printed. Returns stdout without its last line end. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.uni(args, options);
    assert.equal(code, 0, `uni ${args.join(" ")}: status ${code}\n${stdout}${stderr}\n${this.logTail(8)}`);
    return stdout.replace(/\n$/, "");
  }

  // biome-ignore lint/suspicious/noExplicitAny: see RestAnswer
  async json(args: readonly string[]): Promise<any> {
    return JSON.parse(await this.ok([...args, "--output", "json"]));
  }

  /** Must fail; returns the error object that the CLI prints with --output json, and the status. */
  async refused(
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<{ code: string; message: string; hint?: string; status: number | null }> {
    // Options after an image or instance belong to the guest's program: this one goes first.
    const { code, stdout, stderr } = await this.uni(["--output", "json", ...args], options);
    assert.notEqual(code, 0, `uni ${args.join(" ")} should have been refused, and printed\n${stdout}`);
    const line = stderr.split("\n").find((text) => text.startsWith('{"error"'));
    assert.ok(line !== undefined, `uni ${args.join(" ")}: no error object on stderr:\n${stderr}`);
    return { ...JSON.parse(line).error, status: code };
  }

  /** Starts the CLI and leaves its stdin open. */
  startUni(args: readonly string[], options: RunOptions = {}): Running {
    return startProgram(join(root, "bin/uni"), args, this.#cliOptions(options));
  }

  #cliOptions(options: RunOptions): RunOptions {
    return { cwd: root, ...options, env: { ...this.#env, UNI_SOCKET: this.socket, ...options.env } };
  }

  get url(): string {
    return `http://${readFileSync(join(this.dataDirectory, "listen"), "utf8").trim()}`;
  }

  get token(): string {
    return readFileSync(join(this.dataDirectory, "admin-token"), "utf8").trim();
  }

  async rest(method: string, path: string, body?: unknown, token = this.token): Promise<RestAnswer> {
    const answer = await fetch(`${this.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  /** As a crash would: the machines go on. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Stops every instance and the daemon, then finds nothing left but the data directory, and removes that. */
  async stop({ checkLeftovers = true } = {}): Promise<void> {
    try {
      const child = this.#process;
      if (child !== undefined && child.exitCode === null && child.signalCode === null) {
        const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
        const asked = await this.uni(["shutdown", "--stop"]);
        if (asked.code !== 0) await this.kill();
        assert.equal(asked.code, 0, `uni shutdown --stop: ${asked.stderr}`);
        assert.equal(await ended, 0, `unid did not end well: its log ends with\n${this.logTail()}`);
      }
      if (checkLeftovers) {
        // The kernel takes a moment to reap the processes that ended.
        await until(
          "nothing is left of the daemon",
          () => {
            assert.deepEqual(leftovers(), []);
            return true;
          },
          5_000,
        );
      }
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}

export async function startDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  const daemon = new TestDaemon(options);
  await daemon.start();
  return daemon;
}

function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
