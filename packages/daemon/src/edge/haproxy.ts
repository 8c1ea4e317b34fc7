/**
 * HAProxy as a process: a master that runs as root and re-executes itself at a reload, handing over its listening
 * sockets, and workers without rights. It is found again by what it left in its directory.
 */
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import { readTextIfExists } from "../host/files.ts";
import { findProcesses } from "../host/find-process.ts";
import { run, startDetached } from "../host/process.ts";
import { waitUntilEnded } from "../host/process-end.ts";
import { identify, isAlive, type ProcessIdentity, signalProcess } from "../host/process-identity.ts";
import { writeRecord } from "../host/write-record.ts";
import { configurationFile } from "./render.ts";
import { askHaproxy } from "./runtime-socket.ts";

const program = "haproxy";
const startMs = 20_000;
const endMs = 5_000;
const pollMs = 20;

export class Haproxy {
  readonly statsSocket: string;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #masterSocket: string;
  #master: ProcessIdentity | undefined;

  /** The configuration is in `current` below the directory. */
  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
    this.statsSocket = join(directory, "stats");
    this.#masterSocket = join(directory, "master");
  }

  get isAlive(): boolean {
    return this.#master !== undefined && isAlive(this.#master);
  }

  /** All its processes, workers of former configurations too. */
  processes(): ProcessIdentity[] {
    return findProcesses(this.#masterArgument);
  }

  /** Takes over the one that an earlier daemon started; false when there is none that answers. */
  async adopt(): Promise<boolean> {
    const record = await readTextIfExists(this.#recordPath);
    if (record === undefined) return false;
    this.#master = JSON.parse(record) as ProcessIdentity;
    return this.isAlive && (await this.#workerPid()) !== undefined;
  }

  /** Throws with HAProxy's own words when the configuration in `directory` is none. */
  async check(directory: string): Promise<void> {
    const { code, stderr } = await run(program, ["-c", "-q", "-C", directory, "-f", configurationFile], {
      timeoutMs: startMs,
    });
    if (code === 0) return;
    throw new UniError("failed", `configure the edge: haproxy refuses it: ${stderr.trim().slice(-2000)}`);
  }

  async start(): Promise<void> {
    await this.end();
    const log = openSync(this.#logPath, "w", 0o600);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    let pid: number | undefined;
    try {
      const current = join(this.#directory, "current");
      const args = ["-W", "-C", current, "-f", configurationFile, "-S", this.#masterArgument];
      const child = startDetached(program, args, { stdout: log, stderr: log });
      child.once("error", () => resolve());
      child.once("exit", () => resolve());
      pid = child.pid;
    } finally {
      closeSync(log);
    }
    this.#master = pid === undefined ? undefined : identify(pid);
    if (this.#master === undefined) {
      await ended;
      throw await this.#failure("start the edge");
    }
    writeRecord(this.#recordPath, JSON.stringify(this.#master));
    await this.#untilWorkerIs("start the edge", (worker) => worker !== undefined);
  }

  /** Seamless: the new worker has the listening sockets of the old one, which ends with its last connection. */
  async reload(): Promise<void> {
    const before = await this.#workerPid();
    await this.#askMaster("reload");
    await this.#untilWorkerIs("reload the edge", (worker) => worker !== undefined && worker !== before);
  }

  async end(): Promise<void> {
    const all = [...(this.#master === undefined ? [] : [this.#master]), ...this.processes()];
    for (const each of all) signalProcess(each, "SIGTERM");
    for (const each of all) {
      if (await waitUntilEnded(each, this.#clock, endMs)) continue;
      signalProcess(each, "SIGKILL");
      await waitUntilEnded(each, this.#clock, endMs);
    }
    this.#master = undefined;
  }

  /** A master that has just started or reloaded may listen a moment after its worker does. */
  async #askMaster(command: string): Promise<string> {
    const deadline = this.#clock.monotonicUs() + startMs * 1000;
    for (;;) {
      try {
        return await askHaproxy(this.#masterSocket, command, this.#clock);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const isAbsent = code === "ECONNREFUSED" || code === "ENOENT";
        if (!isAbsent || !this.isAlive || this.#clock.monotonicUs() > deadline) throw error;
      }
      await this.#clock.sleep(pollMs);
    }
  }

  async #untilWorkerIs(attempted: string, fits: (pid: number | undefined) => boolean): Promise<void> {
    const deadline = this.#clock.monotonicUs() + startMs * 1000;
    while (!fits(await this.#workerPid())) {
      if (!this.isAlive || this.#clock.monotonicUs() > deadline) throw await this.#failure(attempted);
      await this.#clock.sleep(pollMs);
    }
  }

  /** Undefined: nobody answers (yet). */
  async #workerPid(): Promise<number | undefined> {
    try {
      const info = await askHaproxy(this.statsSocket, "show info", this.#clock);
      const pid = /^Pid: (\d+)$/m.exec(info)?.[1];
      return pid === undefined ? undefined : Number(pid);
    } catch {
      return undefined;
    }
  }

  async #failure(attempted: string): Promise<UniError> {
    const words = await readFile(this.#logPath, "utf8").catch(() => "");
    return new UniError("failed", `${attempted}: ${words.trim().slice(-2000) || "haproxy said nothing"}`, {
      hint: "Is the package haproxy there? See uni doctor.",
    });
  }

  /** No other process has it, and it stays the same at each reload. */
  get #masterArgument(): string {
    return `${this.#masterSocket},mode,600`;
  }

  get #logPath(): string {
    return join(this.#directory, "haproxy.log");
  }

  get #recordPath(): string {
    return join(this.#directory, "haproxy.json");
  }
}
