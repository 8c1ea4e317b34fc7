/**
 * How an instance falls asleep and wakes: tasks of its owner, in the order of decision 0011. A wake wins at any instant.
 *
 *     running ── sleep ──► stopping, intent sleep ──► standby, paused ──► standby, disk
 *        ▲                        │ turned back             │ wake             │ wake
 *        └────────────────────────┴───────── starting ◄─────┴──────────────────┘
 *
 * Without memory to keep the program is stopped (standby, off), and waking is a start that lets packets in once it listens.
 */
import { toUniError, UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { TaskQueue } from "../base/task-queue.ts";
import type { SaveOptions } from "../store/instances.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "./lifecycle.ts";
import { refusedRoms, withPendingRoms } from "./pending-updates.ts";
import type { InstanceRecord, InstanceStatus, Sleep } from "./record.ts";
import { hasDisksOf, isPendingRoms } from "./roms.ts";
import { powerOff, stopPolitely } from "./run-end.ts";
import { keepsMemory } from "./scale-to-zero.ts";
import { listensWithinMs } from "./settled.ts";
import { asleepStatus, awakeStatus } from "./sleep-status.ts";
import type { StopCause } from "./stop-outcome.ts";

/** What the sleeper needs of its owner. */
export interface Bed {
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly log: Log;
  readonly tasks: TaskQueue;
  readonly record: () => InstanceRecord;
  readonly save: (status: Partial<InstanceStatus>, options?: SaveOptions) => Promise<InstanceRecord>;
  readonly live: () => LiveInstance | undefined;
  /** Takes a machine over, or lets it go without drawing conclusions. */
  readonly setLive: (live: LiveInstance | undefined) => void;
  readonly hooks: () => StartHooks;
  /** From nothing to a configured guest. */
  readonly boot: (signal: AbortSignal) => Promise<void>;
  /** The run is over: what is left is removed, and what comes next is decided. */
  readonly endRun: (cause: StopCause) => Promise<void>;
  readonly note: (sentence: string) => Promise<void>;
  readonly afterStop: () => Promise<void>;
  /** Kept changes of ROMs are brought about. */
  readonly changeRoms: () => Promise<void>;
  /** A wake took so long from the packet or call. */
  readonly onWoken: (latencyMs: number) => void;
}

export interface SleepRequest {
  /** Also when its policy would throw the memory away. */
  readonly keepMemory: boolean;
  /** Asked again when no packet can reach it any more; false turns it back. */
  readonly stillIdle: () => Promise<boolean>;
}

const wakingStatus = { state: "starting", intent: "run" } as const;
export class Sleeper {
  readonly #bed: Bed;
  #waking: Promise<void> | undefined;
  /** Of the task under way that goes to sleep, or deeper: what a wake interrupts, and nothing else. */
  #descent: AbortController | undefined;
  #cancelAdmission: () => void = () => {};

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  /** Resolves when it sleeps, or was turned back. */
  sleep(request: SleepRequest): Promise<void> {
    return this.#descend((signal, ended) => this.#fallAsleep(request, signal, ended));
  }

  /** One that sleeps paused goes to disk; a wake meanwhile leaves it paused, and wakes it. */
  toDisk(): Promise<void> {
    return this.#descend((signal) => this.#toDisk(signal));
  }

  /** Resolves when it runs. Many at once are one. */
  wake(): Promise<void> {
    this.#waking ??= this.#wake().finally(() => {
      this.#waking = undefined;
    });
    return this.#waking;
  }

  /** Stopped, its memory dropped. */
  forget(): Promise<void> {
    return this.#bed.tasks.run(async () => {
      const { state, sleep } = this.#bed.record().status;
      if (state === "standby" && sleep !== null) await this.#bed.endRun({ kind: "slept" });
    });
  }

  /**
   * True when that was all. One with memory wakes first: its program may have something to write down. Part of a task.
   */
  async stop({ force }: { readonly force: boolean }, signal: AbortSignal): Promise<boolean> {
    const { record, save, endRun, log } = this.#bed;
    const { state, sleep } = record().status;
    if (sleep === null || state === "starting" || state === "running") return false;
    if (sleep.tier === "off") await endRun({ kind: "slept" });
    else if (force) await endRun({ kind: "forced" });
    else {
      try {
        await save({ state: "stopping" });
        await this.rouse(signal);
        return false;
      } catch (error) {
        log.warn({ err: error }, "waking for the stop failed");
        await endRun({ kind: "forced" });
      }
    }
    return true;
  }

  /** Awake again, whatever wakes it; part of a task. */
  async rouse(signal: AbortSignal): Promise<void> {
    const { record, save, boot, changeRoms } = this.#bed;
    if (record().status.sleep?.tier === "off") {
      await changeRoms();
      return boot(signal);
    }
    if (!(await this.#goOnWithOtherRoms(signal))) await this.#goOn((as) => as, signal);
    await save(awakeStatus(record(), this.#bed.clock.now()));
  }

  async #goOn(as: (record: InstanceRecord) => InstanceRecord, signal: AbortSignal): Promise<void> {
    const { lifecycle, record, setLive, hooks } = this.#bed;
    if (this.#bed.live() === undefined) {
      const found =
        record().status.sleep?.tier === "disk"
          ? await lifecycle.fromDisk(as(record()), hooks(), signal)
          : await lifecycle.adopt(record(), hooks());
      if (found !== undefined) setLive(found);
    }
    const live = this.#bed.live();
    if (live === undefined) throw new UniError("vmm_failed", `wake instance '${record().name}': ${gone}`);
    await lifecycle.unpause(as(record()), live);
  }

  /**
   * False: there are none, or they cannot be used, and it is to wake with those that it had: its memory is worth more. What
   * is kept is brought about last, so that a daemon that finds it half-way does the same.
   */
  async #goOnWithOtherRoms(signal: AbortSignal): Promise<boolean> {
    const { record, save, note, changeRoms, log } = this.#bed;
    if (!(await this.#canChangeRoms(signal))) return false;
    try {
      await this.#goOn(withPendingRoms, signal);
    } catch (thrown) {
      const { code, message } = toUniError(thrown, "use ROMs");
      if (code !== "rom_unusable") throw thrown;
      await save({ updates: refusedRoms(record().status.updates, message) });
      await note(`${message}: it goes on with the ROMs that it had`).catch((error) =>
        log.warn({ err: error }, "that ROMs were refused is not in the log"),
      );
      return false;
    }
    await changeRoms();
    return true;
  }

  /** A process gets no other disks: one that is paused goes over the disk, and if that fails it wakes as it is. */
  async #canChangeRoms(signal: AbortSignal): Promise<boolean> {
    const { lifecycle, record, log } = this.#bed;
    const { sleep, intent, updates } = record().status;
    if (sleep === null || intent === "stop" || !updates.some(isPendingRoms)) return false;
    if (sleep.tier === "disk" || hasDisksOf(withPendingRoms(record()))) return true;
    try {
      await lifecycle.toDisk(record(), this.#bed.live(), signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error }, "waking with other ROMs failed");
      return false;
    }
    await this.#leaveForDisk(sleep);
    return true;
  }

  /** What an earlier daemon left asleep, or on the way; part of a task. False: this is no affair of sleep. */
  async recover(signal: AbortSignal): Promise<boolean> {
    const { lifecycle, record, save } = this.#bed;
    const { state, intent, sleep } = record().status;
    if (intent === "stop" || (intent === "run" && sleep?.tier === "off")) return false;
    if (intent === "run") {
      if (sleep === null) return false;
      // What was begun has not run yet, else the record would call it paused.
      if (sleep.tier === "disk") await lifecycle.leave(record(), undefined);
      await this.#wakeNow(signal).catch((error) => this.#bed.log.warn({ err: error }, "the wake failed"));
    } else if (state !== "standby") await this.#recoverFallingAsleep(signal);
    else if (sleep?.tier === "paused") {
      if (!(await lifecycle.findPaused(record()))) await this.#bed.endRun({ kind: "vmm-died" });
    } else {
      await lifecycle.leave(record(), undefined);
      await save({ configured: sleep?.tier === "disk" });
    }
    return true;
  }

  /** Packets that woke one without memory are let in when its program listens. */
  onMilestone(kind: "started" | "listening"): void {
    if (this.#bed.record().status.sleep?.tier !== "off") return;
    this.#cancelAdmission();
    if (kind === "listening") this.#admitQuietly();
    else this.#cancelAdmission = this.#bed.clock.after(listensWithinMs, () => this.#admitQuietly());
  }

  close(): void {
    this.#cancelAdmission();
  }

  /** `signal` aborts for a wake too, `ended` only for what ends the run. */
  #descend(body: (signal: AbortSignal, ended: AbortSignal) => Promise<void>): Promise<void> {
    return this.#bed.tasks.run(async (ended) => {
      const descent = new AbortController();
      this.#descent = descent;
      try {
        await body(AbortSignal.any([ended, descent.signal]), ended);
      } finally {
        this.#descent = undefined;
      }
    });
  }

  async #fallAsleep(
    { keepMemory, stillIdle }: SleepRequest,
    signal: AbortSignal,
    ended: AbortSignal,
  ): Promise<void> {
    const { lifecycle, record, save, clock } = this.#bed;
    const { state, intent } = record().status;
    const live = this.#bed.live();
    if (live === undefined || state !== "running" || intent !== "run" || signal.aborted) return;
    // A boot whose packets still wait for its first listener is not idle.
    if (record().status.sleep !== null) return;
    if (!keepMemory) {
      // A program that is being stopped cannot be turned back: after a wake it starts again.
      if (await stillIdle()) await this.#stopAsleep(live, ended);
      return;
    }
    await save({ state: "stopping", intent: "sleep" });
    try {
      const paused = await lifecycle.pause(record(), live, stillIdle, signal);
      if (!paused || record().status.intent !== "sleep") return await this.#turnBack(live);
    } catch (error) {
      this.#bed.log.warn({ err: error }, "falling asleep failed");
      return this.#turnBack(live);
    }
    await save(asleepStatus(record(), "paused", clock.now()));
  }

  /** Awake again before it slept. Whoever asked for it finds it running. */
  async #turnBack(live: LiveInstance): Promise<void> {
    const { lifecycle, record, save } = this.#bed;
    try {
      await lifecycle.unpause(record(), live);
    } catch (thrown) {
      const { message } = toUniError(thrown, `wake instance '${record().name}'`);
      return this.#bed.endRun({ kind: "failed", message });
    }
    const { intent } = record().status;
    await save({ state: "running", intent: intent === "sleep" ? "run" : intent });
  }

  /** `tier: off` is written first: a daemon that finds it half-way goes on stopping it. */
  async #stopAsleep(live: LiveInstance, signal: AbortSignal): Promise<void> {
    const { lifecycle, record, save, clock, log } = this.#bed;
    await save({ state: "stopping", intent: "sleep", sleep: { tier: "off", since: clock.now() } });
    await lifecycle.hold(record());
    const { gone: polite } = await stopPolitely(live, record().spec.gracePeriodMs, { clock, signal });
    if (polite) await powerOff(live, { clock, log, signal });
    this.#bed.setLive(undefined);
    await this.#settleOff(live);
  }

  async #settleOff(live: LiveInstance | undefined): Promise<void> {
    const { lifecycle, record, save, clock } = this.#bed;
    await lifecycle.leave(record(), live);
    await save({ ...asleepStatus(record(), "off", clock.now()), configured: false, exit: null });
    await this.#bed.afterStop();
  }

  async #toDisk(signal: AbortSignal): Promise<void> {
    const { lifecycle, record } = this.#bed;
    const isPaused = () => record().status.intent === "sleep" && record().status.sleep?.tier === "paused";
    if (record().status.state !== "standby" || !isPaused()) return;
    try {
      await lifecycle.toDisk(record(), this.#bed.live(), signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const { sleep } = record().status;
    // The wake that came meanwhile finds it paused, which is the quicker way.
    if (!isPaused() || sleep === null) return;
    await this.#leaveForDisk(sleep);
  }

  async #leaveForDisk(sleep: Sleep): Promise<void> {
    const { lifecycle, record, save } = this.#bed;
    await save({ sleep: { ...sleep, tier: "disk" } });
    const live = this.#bed.live();
    this.#bed.setLive(undefined);
    await lifecycle.leave(record(), live);
  }

  async #wake(): Promise<void> {
    const { clock, record, save, tasks } = this.#bed;
    const askedUs = clock.monotonicUs();
    const { state, intent } = record().status;
    if (intent !== "sleep") return tasks.idle();
    // One on its way to sleep keeps its wish until it is turned back: a daemon that finds it half-way knows what to do.
    // Not synced, which the packet would wait for: after a power cut it sleeps on, or its machine is gone in any case.
    if (state === "standby") await save(wakingStatus, { synced: false });
    this.#descent?.abort(new UniError("wrong_state", "interrupted by a wake"));
    await tasks.run((signal) => this.#wakeNow(signal));
    this.#bed.onWoken((clock.monotonicUs() - askedUs) / 1000);
  }

  async #wakeNow(signal: AbortSignal): Promise<void> {
    const { lifecycle, record, save } = this.#bed;
    // It slept before it could be turned back.
    if (record().status.intent === "sleep" && record().status.state === "standby") await save(wakingStatus);
    const { state, intent, sleep } = record().status;
    if (intent !== "run" || sleep === null || (state !== "starting" && state !== "standby")) return;
    try {
      await this.rouse(signal);
    } catch (thrown) {
      const error = toUniError(thrown, `wake instance '${record().name}'`);
      const { intent: wish, sleep: now } = record().status;
      if (wish !== "run" || now === null || now.tier === "off") throw error;
      if (now.tier === "paused") {
        const isGone = this.#bed.live() === undefined;
        await this.#bed.endRun(isGone ? { kind: "vmm-died" } : { kind: "failed", message: error.message });
        throw error;
      }
      const whole = (await lifecycle.checkSnapshot(record())) === "good";
      if (!whole && record().spec.scaleToZero?.stateful !== true) {
        await this.#bed.note("its memory on disk cannot be used: it starts anew");
        await save({ sleep: { ...now, tier: "off" } });
        return this.#bed.boot(signal);
      }
      // Asleep as before; leaving it lets the waker report the next packet.
      await lifecycle.leave(record(), undefined);
      await save({ state: "standby", intent: "sleep" });
      await this.#bed.note(error.message);
      throw whole ? error : unusable(record(), error);
    }
  }

  async #recoverFallingAsleep(signal: AbortSignal): Promise<void> {
    const { lifecycle, record, hooks } = this.#bed;
    const live = await lifecycle.adopt(record(), hooks());
    const isStopping = record().status.sleep?.tier === "off";
    if (live === undefined) {
      return isStopping ? this.#settleOff(undefined) : this.#bed.endRun({ kind: "vmm-died" });
    }
    this.#bed.setLive(live);
    return isStopping ? this.#stopAsleep(live, signal) : this.#turnBack(live);
  }

  #admitQuietly(): void {
    const { lifecycle, record, save, tasks, log } = this.#bed;
    this.#cancelAdmission();
    const admit = async () => {
      const { state, sleep } = record().status;
      if (sleep?.tier !== "off" || (state !== "running" && state !== "starting")) return;
      await lifecycle.admitPackets(record());
      await save({ sleep: null });
    };
    tasks.run(admit).catch((error) => log.error({ err: error }, "letting packets in failed"));
  }
}

const gone = "its machine is gone";

const unusable = (record: InstanceRecord, cause: UniError): UniError =>
  new UniError("failed", `wake instance '${record.name}': its memory on disk is lost or damaged`, {
    hint: `Its disk is whole: uni start --cold ${record.name} boots it without the memory.`,
    cause,
  });

/** By its policy; asked for, its memory is kept in any case. */
export const sleepByPolicy = (
  record: InstanceRecord,
  stillIdle: SleepRequest["stillIdle"],
): SleepRequest => ({ keepMemory: keepsMemory(record.spec), stillIdle });
