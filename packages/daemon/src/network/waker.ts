/** The process that holds packets for sleepers: found again or started, told who sleeps, listened to. */
import { closeSync, existsSync, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { ensureDirectory, readTextIfExists } from "../host/files.ts";
import { findProcesses } from "../host/find-process.ts";
import { findNativeProgram } from "../host/native-program.ts";
import { favour } from "../host/priority.ts";
import { startDetached } from "../host/process.ts";
import { waitUntilEnded } from "../host/process-end.ts";
import { signalProcess } from "../host/process-identity.ts";
import type { WakeHandler, WakeOrigin, WakeStats } from "./port.ts";
import { connectWaker, type WakerConnection } from "./waker-connection.ts";

export interface WakerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** For the control socket, and what the process has to say when it ends. */
  readonly directory: string;
  readonly device: string;
  readonly pool: string;
  /** The process has gone without being told to; its sleepers' packets are lost until somebody calls `start`. */
  readonly onLost: () => void;
}

const pollMs = 2;
const startDeadlineMs = 10_000;
const endDeadlineMs = 5_000;

export class Waker {
  readonly #options: WakerOptions;
  readonly #socketPath: string;
  readonly #handlers = new Set<WakeHandler>();
  /** Reported and not yet woken, for handlers that come later. */
  readonly #reported = new Map<string, WakeOrigin>();
  #connection: WakerConnection | undefined;

  constructor(options: WakerOptions) {
    this.#options = options;
    this.#socketPath = join(options.directory, "waker.sock");
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** True if an earlier daemon's is there. */
  async adopt(): Promise<boolean> {
    if (this.#connection !== undefined) return true;
    const connection = await connectWaker(this.#socketPath, (address, origin) =>
      this.#report(address, origin),
    );
    if (connection === undefined) return false;
    this.#connection = connection;
    void connection.ended.then(() => {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#options.onLost();
    });
    return true;
  }

  /** The device must be there. True if it did not run before. */
  async start(): Promise<boolean> {
    if (await this.adopt()) return false;
    const { clock, directory, device, pool } = this.#options;
    // Deaf, or its socket's file was taken away: it still has the device, and one can have it.
    await this.#killAll();
    await ensureDirectory(directory);
    const logPath = join(directory, "waker.log");
    const logFile = openSync(logPath, "w", 0o600);
    const args = [`--device=${device}`, `--pool=${pool}`, `--socket=${this.#socketPath}`];
    let child: ReturnType<typeof startDetached>;
    try {
      child = startDetached(findNativeProgram("waker/waker"), args, { stderr: logFile });
      if (child.pid !== undefined) favour(child.pid, this.#options.log);
    } finally {
      closeSync(logFile);
    }
    const state = { hasEnded: child.pid === undefined };
    child.once("error", () => (state.hasEnded = true));
    child.once("exit", () => (state.hasEnded = true));
    const deadlineUs = clock.monotonicUs() + startDeadlineMs * 1000;
    while (!(await this.adopt())) {
      if (state.hasEnded || clock.monotonicUs() > deadlineUs) {
        const words = (await readTextIfExists(logPath))?.trim() || "it gave no reason";
        throw new UniError("failed", `start the waker on ${device}: ${words}`);
      }
      await clock.sleep(pollMs);
    }
    return true;
  }

  /** From its return on packets for these addresses are held. */
  async hold(addresses: readonly string[]): Promise<void> {
    await Promise.all(addresses.map((address) => this.#connected().command(`sleep ${address}`)));
  }

  /** Writes back what was held, in order; what nobody is there for is refused by our rules. */
  async release(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) this.#reported.delete(address);
    await Promise.all(addresses.map((address) => this.#connected().command(`wake ${address}`)));
  }

  /** Exactly these sleep; all others are released. */
  async sync(addresses: readonly string[]): Promise<void> {
    const sleepers = new Set(addresses);
    for (const address of this.#reported.keys()) if (!sleepers.has(address)) this.#reported.delete(address);
    const connection = this.#connected();
    const lines = ["mark", ...addresses.map((address) => `sleep ${address}`), "sweep"];
    await Promise.all(lines.map((line) => connection.command(line)));
  }

  onWake(handler: WakeHandler): () => void {
    this.#handlers.add(handler);
    for (const [address, origin] of this.#reported) handler(address, origin);
    return () => void this.#handlers.delete(handler);
  }

  async stats(): Promise<WakeStats> {
    const answer = await this.#connection?.command("stats", /^stats( \d+){5}$/);
    const [held = 0, dropped = 0, expired = 0, reported = 0, released = 0] = (answer ?? "")
      .split(" ")
      .slice(1)
      .map(Number);
    return { held, dropped, expired, reported, released };
  }

  async end(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#reported.clear();
    // It answers by ending.
    await connection?.command("end").catch(() => {});
    await this.#killAll();
    if (existsSync(this.#options.directory)) {
      await rm(this.#socketPath, { force: true });
      await rm(join(this.#options.directory, "waker.log"), { force: true });
    }
  }

  #report(address: string, origin: WakeOrigin): void {
    this.#reported.set(address, origin);
    this.#options.log.debug({ address, ...origin }, "a packet came for a sleeper");
    for (const handler of this.#handlers) handler(address, origin);
  }

  #connected(): WakerConnection {
    if (this.#connection !== undefined) return this.#connection;
    throw new UniError("failed", `tell the waker on ${this.#options.device} who sleeps: it does not run`);
  }

  async #killAll(): Promise<void> {
    for (const found of findProcesses(`--socket=${this.#socketPath}`)) {
      signalProcess(found, "SIGKILL");
      await waitUntilEnded(found, this.#options.clock, endDeadlineMs);
    }
  }
}
