/**
 * The handle on one QEMU process, its own child's or one that an earlier daemon left. It watches the process through
 * QMP: a connection that closes means that the process ends, or that only the connection broke; then it connects again.
 */
import { readFileSync } from "node:fs";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { hasEnded as processEnded, waitUntilEnded } from "../../host/process-end.ts";
import { isAlive, type ProcessIdentity, signalProcess } from "../../host/process-identity.ts";
import { readUsage } from "../../host/process-usage.ts";
import type { Capture, CaptureTarget, Machine, MachineExit, MachineTimings } from "../port.ts";
import type { RealAccelerator } from "./architecture.ts";
import type { CapturedMachine } from "./capture.ts";
import { readConsole } from "./console.ts";
import { type Fold, foldDisk } from "./fold-disk.ts";
import { exitOf, hasEnded, runStateOf } from "./guest-state.ts";
import { connectQmp, type Qmp, type QmpEvent } from "./qmp.ts";
import { type MachinePlaces, removePlaces } from "./record.ts";
import { snapshotError } from "./suspend.ts";

export interface MachineOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly places: MachinePlaces;
  readonly process: ProcessIdentity;
  readonly accelerator: RealAccelerator;
  readonly timings: MachineTimings | undefined;
  readonly writeSnapshot: (
    qmp: Qmp,
    directory: string,
    signal: AbortSignal,
  ) => Promise<{ readonly bytes: number }>;
  readonly beginCapture: (
    machine: CapturedMachine,
    target: CaptureTarget,
    signal: AbortSignal,
  ) => Promise<Capture>;
  /** Called once the process has ended by `kill`. */
  readonly onKilled: () => void;
}

const reconnectMs = 20;
const killDeadlineMs = 10_000;
/** How long a call waits for a connection that broke. */
const connectionDeadlineMs = 5_000;
/** How often a machine that stopped for a full host disk is tried again. */
const diskFullRetryMs = 5_000;

export class QemuMachine implements Machine {
  readonly process: ProcessIdentity;
  readonly agentSocket: string;
  readonly accelerator: RealAccelerator;
  readonly timings: MachineTimings | undefined;
  readonly exited: Promise<MachineExit>;
  readonly #options: MachineOptions;
  readonly #exit = Promise.withResolvers<MachineExit>();
  #qmp = Promise.withResolvers<Qmp | undefined>();
  #phase: "watched" | "killed" | "released" | "gone" = "watched";
  #console: Promise<string> = Promise.resolve("");
  #cancelRetry: () => void = () => {};
  #paused = false;
  /** Told by QEMU: its guest will not run again. */
  #guestEnded = false;
  #isCaptured = false;
  #pausing = false;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.process = options.process;
    this.agentSocket = options.places.agent;
    this.accelerator = options.accelerator;
    this.timings = options.timings;
    this.exited = this.#exit.promise;
  }

  /**
   * Takes over a connection whose events go to `onEvent`, and keeps watching. Resolves once the guest's state is known, which is
   * asked for if it is not `told`.
   */
  async watch(first: Qmp, told?: "paused"): Promise<void> {
    this.#qmp.resolve(first);
    void this.#supervise(first);
    if (told === "paused") this.#paused = true;
    else await this.#learnState(first);
  }

  get paused(): boolean {
    return this.#paused;
  }

  onEvent({ name, data }: QmpEvent): void {
    // Events come before the answer to what was asked after them: whoever has the answer to `stop` knows of the end before.
    if (name === "SHUTDOWN" || name === "GUEST_PANICKED") this.#guestEnded = true;
    if (this.#guestEnded || (name === "STOP" && !this.#pausing)) void this.#readStateSoon();
    if (name === "BLOCK_IO_ERROR" && data["nospace"] === true) {
      this.#options.log.warn({ pid: this.process.pid }, "machine stopped: the host's disk is full");
    }
  }

  async pause(): Promise<void> {
    this.#cancelRetry();
    this.#pausing = true;
    try {
      await this.#ask("pause", "stop");
    } finally {
      this.#pausing = false;
    }
    this.#paused = true;
    this.#standStill();
  }

  /**
   * A paused QEMU should have nothing to do, and yet one in twenty wakes hundreds of times a second: its virtual clock stays
   * enabled, with a timer that never comes due. Whoever talks to it lets it go on before; a capture is about to.
   */
  #standStill(): void {
    if (this.#paused && !this.#isCaptured) signalProcess(this.process, "SIGSTOP");
  }

  #wake(): void {
    if (this.#paused) signalProcess(this.process, "SIGCONT");
  }

  async resume(): Promise<void> {
    await this.#connection("resume");
    if (this.#guestEnded) {
      throw new UniError("wrong_state", `resume machine ${this.process.pid}: its guest has ended`);
    }
    await this.#ask("resume", "cont");
    this.#paused = false;
  }

  async suspend(directory: string, signal: AbortSignal): Promise<{ readonly bytes: number }> {
    signal.throwIfAborted();
    try {
      return await this.#options.writeSnapshot(await this.#pausedConnection(), directory, signal);
    } finally {
      this.#standStill();
    }
  }

  async capture(target: CaptureTarget, signal: AbortSignal): Promise<Capture> {
    signal.throwIfAborted();
    const qmp = await this.#connection("capture");
    const refuse = (why: string) =>
      new UniError("wrong_state", `capture machine ${this.process.pid}: ${why}`);
    const pausedConnection = async () => {
      const connected = await this.#connection("capture");
      if (this.#guestEnded) throw refuse("its guest has ended");
      if (!this.#paused) throw refuse("it is running, not paused");
      return connected;
    };
    if (hasEnded(runStateOf(await qmp.execute("query-status")))) throw refuse("its guest has ended");
    if (this.#isCaptured) throw refuse("it is being captured already");
    this.#isCaptured = true;
    // Nobody stops it from here on.
    this.#wake();
    const machine: CapturedMachine = {
      connection: () => this.#connection("capture"),
      pausedConnection,
      onDone: () => {
        this.#isCaptured = false;
        this.#standStill();
      },
    };
    return this.#options.beginCapture(machine, target, signal);
  }

  async foldDisk(disk: Fold, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isCaptured) {
      throw new UniError("wrong_state", `fold the disk of machine ${this.process.pid}: it is being captured`);
    }
    try {
      await foldDisk(await this.#connection("fold the disk"), this.#options.clock, disk, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw snapshotError(`fold the disk of machine ${this.process.pid}`, error);
    } finally {
      this.#standStill();
    }
  }

  async kill(): Promise<void> {
    if (this.#phase === "watched" || this.#phase === "released") this.#phase = "killed";
    this.#cancelRetry();
    signalProcess(this.process, "SIGKILL");
    if (!(await waitUntilEnded(this.process, this.#options.clock, killDeadlineMs))) {
      throw new UniError("vmm_failed", `kill QEMU, process ${this.process.pid}: it does not end`);
    }
    this.#exit.resolve({ kind: "killed" });
    (await this.#settledQmp())?.close();
    await this.#console.catch(() => {});
    removePlaces(this.#options.places);
    this.#options.onKilled();
  }

  lastWords(): Promise<string> {
    const earlier = this.#console.catch(() => "");
    this.#console = earlier.then(async (before) => {
      if (this.#phase === "killed") return before;
      const { places } = this.#options;
      const ended = this.#phase === "gone" || !isAlive(this.process);
      const qmp = ended ? undefined : await this.#connection("read the console");
      const text = await readConsole(places.console, qmp).catch((error) => {
        if (isAlive(this.process)) throw error;
        return readConsole(places.console, undefined);
      });
      return isAlive(this.process) ? text : `${text}${readOwnWords(places.log)}`.slice(-(64 << 10));
    });
    return this.#console;
  }

  async usage(): Promise<{ readonly rssBytes: number; readonly cpuTimeMs: number } | undefined> {
    return readUsage(this.process);
  }

  async release(): Promise<void> {
    if (this.#phase !== "watched") return;
    this.#phase = "released";
    this.#cancelRetry();
    (await this.#settledQmp())?.close();
  }

  async #supervise(first: Qmp): Promise<void> {
    for (let qmp: Qmp | undefined = first; qmp !== undefined; ) {
      await qmp.closed;
      this.#qmp = Promise.withResolvers<Qmp | undefined>();
      qmp = this.#phase === "watched" ? await this.#reconnect() : undefined;
      this.#qmp.resolve(qmp);
      if (qmp) await this.#learnState(qmp);
    }
  }

  /** For a connection that is new: what an earlier daemon did is QEMU's to tell. */
  async #learnState(qmp: Qmp): Promise<void> {
    const runState = await this.#readState(qmp);
    if (runState === "paused" || runState === "running") this.#paused = runState === "paused";
  }

  /** Undefined once the process is gone or not ours to watch any more. */
  async #reconnect(): Promise<Qmp | undefined> {
    const { clock, log, places } = this.#options;
    while (this.#phase === "watched") {
      if (processEnded(this.process)) {
        this.#phase = "gone";
        this.#cancelRetry();
        this.#exit.resolve({ kind: "vmm-died" });
        return undefined;
      }
      const limit = new AbortController();
      const cancel = clock.after(connectionDeadlineMs, () => limit.abort());
      const connected = connectQmp(places.qmp, clock, (event) => this.onEvent(event), limit.signal);
      const qmp = await connected.catch(() => undefined);
      cancel();
      if (qmp) {
        log.warn({ pid: this.process.pid }, "the connection to QEMU broke; connected again");
        return qmp;
      }
      await clock.sleep(reconnectMs);
    }
    return undefined;
  }

  async #readStateSoon(): Promise<void> {
    const qmp = await this.#qmp.promise;
    if (qmp) await this.#readState(qmp);
  }

  /** Settles `exited` if the guest has ended; starts trying again if the host's disk was full. */
  async #readState(qmp: Qmp): Promise<unknown> {
    try {
      const runState = runStateOf(await qmp.execute("query-status"));
      if (hasEnded(runState)) {
        this.#guestEnded = true;
        const exit = exitOf(runState, await this.lastWords().catch(() => ""));
        if (exit) this.#exit.resolve(exit);
      }
      if (runState === "io-error" && !this.#paused) this.#retryLater();
      return runState;
    } catch {
      return undefined; // The connection broke; the next one asks again.
    }
  }

  #retryLater(): void {
    this.#cancelRetry();
    if (this.#phase !== "watched") return;
    this.#cancelRetry = this.#options.clock.after(diskFullRetryMs, () => {
      void (async () => {
        const qmp = await this.#qmp.promise;
        if (this.#phase !== "watched" || qmp === undefined) return;
        // A write that fails again stops the machine again, and its STOP event leads back here.
        if (runStateOf(await qmp.execute("query-status")) === "io-error") await qmp.execute("cont");
      })().catch(() => {});
    });
  }

  /** For commands that may be given twice: a connection that breaks meanwhile is no reason to fail. */
  async #ask(attempted: string, command: string): Promise<unknown> {
    const qmp = await this.#connection(attempted);
    try {
      return await qmp.execute(command);
    } catch (error) {
      if (!qmp.isClosed) throw error;
      await qmp.closed;
      return (await this.#connection(attempted)).execute(command);
    }
  }

  async #connection(attempted: string): Promise<Qmp> {
    if (!this.#isCaptured) this.#wake();
    const late = Promise.withResolvers<undefined>();
    const cancel = this.#options.clock.after(connectionDeadlineMs, () => late.resolve(undefined));
    const qmp = await Promise.race([this.#qmp.promise, late.promise]);
    cancel();
    if (qmp) return qmp;
    throw new UniError("vmm_failed", `${attempted}, machine ${this.process.pid}: QEMU does not answer`);
  }

  async #pausedConnection(): Promise<Qmp> {
    const qmp = await this.#connection("suspend");
    const runState = runStateOf(await qmp.execute("query-status"));
    if (this.#paused && !hasEnded(runState)) return qmp;
    throw new UniError("wrong_state", `suspend machine ${this.process.pid}: it is ${runState}, not paused`);
  }

  #settledQmp(): Promise<Qmp | undefined> {
    return Promise.race([this.#qmp.promise, Promise.resolve(undefined).then(() => undefined)]);
  }
}

function readOwnWords(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(-4096);
  } catch {
    return "";
  }
}
