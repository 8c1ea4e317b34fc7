/**
 * One owner per instance: all that changes it runs here, one task after the other. Requests pass `admit` first; a stop
 * or delete that cannot wait interrupts the task under way. What the guest or the VMM does by itself arrives as an event
 * and becomes a task too. The order inside a task is always: write the intent, act, write the outcome.
 */

import { messages } from "@uni/contract/envelope";
import { toUniError, UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { GuestEvent } from "../guest/port.ts";
import type { MachineExit } from "../vmm/port.ts";
import { admit, type Request } from "./admission.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "./lifecycle.ts";
import type { LogStore } from "./log-store.ts";
import type { OutputFeed } from "./output-feed.ts";
import { type InstanceRecord, type InstanceStatus, neverStarted } from "./record.ts";
import type { Registry } from "./registry.ts";
import { nextRestart } from "./restart-policy.ts";
import { type StopCause, type StopOutcome, stopOutcome } from "./stop-outcome.ts";
import { applyUpdate, isImmediate } from "./updates.ts";

export interface OwnerDependencies {
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly log: Log;
  readonly openLog: (id: InstanceId) => Promise<LogStore>;
  readonly feed: OutputFeed;
  /** Called when the instance is gone for good. */
  readonly onGone: (id: InstanceId) => void;
}

export interface StopRequest {
  readonly force: boolean;
  readonly graceMs: number;
}

type ExitReport = Extract<GuestEvent, { kind: "exited" | "start-failed" }>;

/** How long a guest may take to sync and reset before it is cut off. */
const powerOffMs = 10_000;
/** How long the agent may take beyond the grace period to tell that the program is gone. */
const stopSlackMs = 5_000;

/** Before a stopped instance deletes itself, readers of its output may come and finish. */
const readersComeMs = 2_000;
const readersLeaveMs = 10_000;

export class InstanceOwner {
  readonly #id: InstanceId;
  readonly #deps: OwnerDependencies;
  readonly #log: Log;
  #tail: Promise<unknown> = Promise.resolve();
  #task: AbortController | undefined;
  #live: LiveInstance | undefined;
  #exit: ExitReport | undefined;
  #logStore: Promise<LogStore> | undefined;
  #cancelRestart: () => void = () => {};
  #runStartedUs = 0;

  constructor(id: InstanceId, deps: OwnerDependencies) {
    this.#id = id;
    this.#deps = deps;
    this.#log = deps.log.child({ instance: id });
  }

  /** The running guest, for exec, files and statistics. */
  get live(): LiveInstance | undefined {
    return this.#live;
  }

  logStore(): Promise<LogStore> {
    this.#logStore ??= this.#deps.openLog(this.#id);
    return this.#logStore;
  }

  /** Resolves when the start is over: it runs, or it failed (then it rejects). */
  async start(): Promise<void> {
    if (this.#admit("start") === "already") return;
    this.#cancelRestart();
    await this.#enqueue(async (signal) => {
      const { state } = this.#record().status;
      if (state === "running") return;
      await this.#applyPending();
      await this.#save({ restart: null });
      await this.#run(signal);
    });
  }

  /** Resolves when it is stopped. */
  async stop(request: StopRequest): Promise<void> {
    const verdict = this.#admit(request.force ? "force-stop" : "stop");
    this.#cancelRestart();
    if (verdict === "already") {
      if (this.#record().status.restart !== null) await this.#save({ restart: null, intent: "stop" });
      return void (await this.#tail);
    }
    await this.#save({ intent: "stop", restart: null });
    if (verdict === "interrupt") this.#task?.abort(new UniError("wrong_state", "interrupted by a stop"));
    await this.#enqueue((signal) => this.#stopNow(request, signal));
  }

  async delete(): Promise<void> {
    this.#admit("delete");
    this.#cancelRestart();
    await this.#save({ intent: "delete" });
    this.#task?.abort(new UniError("wrong_state", "interrupted by a deletion"));
    await this.#enqueue(() => this.#deleteNow());
  }

  /** Applies the change, or keeps it until the instance is stopped. */
  async update(update: InstanceUpdate): Promise<void> {
    const record = this.#record();
    if (isImmediate(update)) {
      await this.#deps.registry.change(this.#id, { spec: applyUpdate(record.spec, update) });
      return;
    }
    const patch = await this.#patchFor(record, update); // Refuses what can never be applied, also when it is queued.
    if (record.status.state === "stopped") {
      await this.#deps.registry.change(this.#id, { spec: patch });
      return;
    }
    await this.#save({
      updates: [...record.status.updates, { ...update, value: update.value, status: "pending" }],
    });
  }

  /** Runs `body` with the guest up and no program started; only for a stopped instance. */
  async maintain<T>(body: (live: LiveInstance) => Promise<T>): Promise<T> {
    this.#admit("maintain");
    return this.#enqueue(async (signal) => {
      const record = this.#record();
      this.#admit("maintain");
      const hooks: StartHooks = { onEvent: async () => {}, onProgress: async () => {} };
      const live = await this.#deps.lifecycle.start(record, "maintenance", hooks, signal);
      try {
        return await body(live);
      } finally {
        await this.#powerOff(live);
        await this.#deps.lifecycle.end(record, live);
      }
    });
  }

  /** Takes over what an earlier daemon left, and finishes or undoes what it had begun. */
  recover(): Promise<void> {
    return this.#enqueue(async (signal) => {
      const record = this.#record();
      const { state, intent, configured } = record.status;
      if (state === "stopped" && intent !== "delete") {
        await this.#deps.lifecycle.end(record, undefined);
        return this.#recoverRestart(record);
      }
      if (intent === "delete") return this.#deleteNow();
      if (state === "starting" && !configured) {
        await this.#deps.lifecycle.end(record, undefined);
        if (intent === "run") return this.#run(signal, { again: true });
        return this.#settle({ kind: "interrupted" });
      }
      const live = await this.#deps.lifecycle.adopt(record, this.#hooks());
      if (live === undefined) {
        if (intent === "stop") return this.#settle({ kind: "forced" });
        return this.#settle({ kind: "vmm-died" });
      }
      this.#attachLive(live);
      this.#log.info({ state }, "took over a running machine");
      if (intent === "stop")
        return this.#stopNow({ force: false, graceMs: record.spec.gracePeriodMs }, signal);
    });
  }

  /** Lets the machine go on and forgets it: the daemon is about to end. */
  async release(): Promise<void> {
    this.#cancelRestart();
    const live = this.#live;
    this.#live = undefined;
    if (live !== undefined) await this.#deps.lifecycle.release(live);
    await (await this.#logStore)?.close();
  }

  /** Resolves when all tasks queued so far are over. */
  idle(): Promise<void> {
    return this.#tail.then(
      () => undefined,
      () => undefined,
    );
  }

  #record(): InstanceRecord {
    return this.#deps.registry.get(this.#id);
  }

  #save(status: Partial<InstanceStatus>): Promise<InstanceRecord> {
    return this.#deps.registry.change(this.#id, { status });
  }

  #admit(request: Request): "queue" | "interrupt" | "already" {
    const record = this.#record();
    const verdict = admit(request, record.status.state, record.spec.deleteLock);
    switch (verdict.kind) {
      case "already":
        return "already";
      case "queue":
        return verdict.interrupt ? "interrupt" : "queue";
      case "deny":
        if (verdict.reason === messages.deletionLocked) {
          throw new UniError("delete_locked", messages.deletionLocked, {
            hint: "Set delete_lock to false first.",
          });
        }
        throw new UniError("wrong_state", `${request} instance '${record.name}': ${verdict.reason}`);
      default:
        return verdict satisfies never;
    }
  }

  #enqueue<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const run = async (): Promise<T> => {
      const controller = new AbortController();
      this.#task = controller;
      try {
        return await body(controller.signal);
      } finally {
        if (this.#task === controller) this.#task = undefined;
      }
    };
    const result = this.#tail.then(run, run);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #run(signal: AbortSignal, options: { again?: boolean } = {}): Promise<void> {
    const { registry, lifecycle, clock } = this.#deps;
    const { status } = this.#record();
    const startCount = options.again === true ? status.startCount : status.startCount + 1;
    const { restartCount, uptimeMs, restart, updates } = status;
    const record = await this.#save({
      ...neverStarted,
      state: "starting",
      intent: "run",
      startCount,
      restartCount,
      uptimeMs,
      restart,
      updates,
      startedAt: clock.now(),
    });
    (await this.logStore()).startRun();
    this.#exit = undefined;
    this.#runStartedUs = clock.monotonicUs();
    let live: LiveInstance;
    try {
      live = await lifecycle.start(record, "run", this.#hooks(), signal);
    } catch (thrown) {
      const error = toUniError(thrown, `start instance '${record.name}'`);
      if (registry.find(this.#id)?.status.intent === "run") {
        const noMedium = error.code === "image_not_found";
        await this.#settle({ kind: noMedium ? "no-medium" : "failed", message: error.message });
      } else {
        await this.#settle({ kind: "interrupted" });
      }
      throw error;
    }
    this.#attachLive(live);
  }

  #attachLive(live: LiveInstance): void {
    this.#live = live;
    void live.machine.exited.then((exit) => this.#onMachineExit(live, exit));
  }

  #hooks(): StartHooks {
    return {
      onEvent: (event) => this.#onGuestEvent(event),
      onProgress: async (status) => void (await this.#save(status)),
    };
  }

  async #onGuestEvent(event: GuestEvent): Promise<void> {
    const log = await this.logStore();
    switch (event.kind) {
      case "log":
        await log.append(event.stream, event.timeMs, event.bytes, event.offset + event.bytes.length);
        return this.#deps.feed.nudge(this.#id);
      case "log-lost":
        return this.#note(`${event.bytes} bytes of output were lost`, event.offset + event.bytes);
      case "started":
        await this.#save({
          state: "running",
          bootTimeUs: this.#deps.clock.monotonicUs() - this.#runStartedUs,
        });
        return;
      case "listening": {
        const { bootTimeUs } = this.#record().status;
        await this.#save({ netTimeUs: (bootTimeUs ?? 0) + event.us });
        return;
      }
      case "oom": {
        const rssMb = Math.ceil(event.rssKb / 1024);
        return this.#note(`out of memory: the kernel killed ${event.process} (${rssMb} MB)`);
      }
      case "exited":
      case "start-failed":
        return this.#onExitReport(event);
      default:
        return event satisfies never;
    }
  }

  async #onExitReport(event: ExitReport): Promise<void> {
    if (this.#exit !== undefined) return;
    this.#exit = event;
    await this.#save({ exitCode: event.code });
    // A stop under way ends the run itself; otherwise the program ended by itself.
    void this.#enqueue(async () => {
      if (this.#live === undefined || this.#exit !== event) return;
      const cause: StopCause =
        event.kind === "exited" ? { ...event, asked: false, killed: false } : { ...event };
      await this.#endRun(cause, { polite: true });
    }).catch((error) => this.#log.error({ err: error }, "ending a run failed"));
  }

  #onMachineExit(live: LiveInstance, exit: MachineExit): void {
    if (exit.kind === "killed") return;
    this.#task?.abort(new UniError("vmm_failed", `the machine is gone: ${exit.kind}`));
    void this.#enqueue(async () => {
      if (this.#live !== live) return;
      await this.#endRun(await machineCause(live, exit), { polite: false });
    }).catch((error) => this.#log.error({ err: error }, "ending a run failed"));
  }

  async #stopNow(request: StopRequest, signal: AbortSignal): Promise<void> {
    const live = this.#live;
    if (live === undefined) {
      if (this.#record().status.state !== "stopped") await this.#settle({ kind: "forced" });
      return;
    }
    await this.#save({ state: "stopping", intent: "stop" });
    if (request.force || this.#exit !== undefined) {
      return this.#endRun(this.#askedCause(false) ?? { kind: "forced" }, { polite: !request.force });
    }
    const before = this.#deps.clock.now();
    const gone = await this.#raceStop(live, request.graceMs, signal);
    const killed = this.#deps.clock.now() - before >= request.graceMs;
    if (!gone) return this.#endRun({ kind: "forced" }, { polite: false });
    await this.#endRun(this.#askedCause(killed) ?? { kind: "forced" }, { polite: true });
  }

  /** True when the guest says that the program is gone; false when it was cut short. */
  async #raceStop(live: LiveInstance, graceMs: number, signal: AbortSignal): Promise<boolean> {
    const cut = Promise.withResolvers<boolean>();
    const onAbort = () => cut.resolve(false);
    signal.addEventListener("abort", onAbort, { once: true });
    const cancel = this.#deps.clock.after(graceMs + stopSlackMs, onAbort);
    try {
      const stopped = live.channel.stop(graceMs).then(
        () => true,
        () => false,
      );
      return await Promise.race([stopped, cut.promise]);
    } finally {
      cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }

  #askedCause(killed: boolean): StopCause | undefined {
    const exit = this.#exit;
    if (exit === undefined) return undefined;
    return exit.kind === "exited" ? { ...exit, asked: true, killed } : { ...exit };
  }

  async #endRun(cause: StopCause, options: { readonly polite: boolean }): Promise<void> {
    const live = this.#live;
    const record = await this.#save({ state: "stopping" });
    if (live !== undefined && options.polite) await this.#powerOff(live);
    this.#live = undefined;
    await this.#deps.lifecycle.end(record, live);
    await this.#settle(cause);
  }

  async #powerOff(live: LiveInstance): Promise<void> {
    const cut = Promise.withResolvers<void>();
    const cancel = this.#deps.clock.after(powerOffMs, cut.resolve);
    const done = live.channel.powerOff().catch((error) => this.#log.warn({ err: error }, "power off failed"));
    await Promise.race([done, cut.promise]);
    cancel();
  }

  /** Writes why the run ended, and what comes next: a restart, a deletion, or nothing. */
  async #settle(cause: StopCause): Promise<void> {
    const record = this.#record();
    const { status, spec } = record;
    const now = this.#deps.clock.now();
    const outcome = stopOutcome(cause, spec.memoryMb);
    const ranMs = status.startedAt === null ? 0 : Math.max(0, now - status.startedAt);
    const restart =
      status.intent === "run"
        ? nextRestart({
            policy: spec.restartPolicy,
            limit: spec.restartLimit,
            outcome,
            ranMs,
            attempts: status.restart?.attempt ?? 0,
          })
        : undefined;
    if (outcome.crashed) await this.#note(outcome.exitReason);
    await this.#save({
      ...stoppedStatus(outcome),
      intent: status.intent === "delete" ? "delete" : restart === undefined ? "stop" : "run",
      stoppedAt: now,
      uptimeMs: status.uptimeMs + ranMs,
      restart: restart === undefined ? null : { attempt: restart.attempt, nextAt: now + restart.delayMs },
    });
    this.#deps.feed.nudge(this.#id);
    await this.#applyPending();
    if (restart !== undefined) this.#scheduleRestart(restart.delayMs);
    else if (spec.features.includes("delete-on-stop") && status.intent !== "delete")
      void this.#deleteAfterStop();
  }

  #scheduleRestart(delayMs: number): void {
    this.#cancelRestart = this.#deps.clock.after(delayMs, () => {
      void this.#enqueue(async (signal) => {
        const { state, restart, restartCount } = this.#record().status;
        if (state !== "stopped" || restart === null) return;
        await this.#save({ restart: { ...restart, nextAt: null }, restartCount: restartCount + 1 });
        await this.#run(signal);
      }).catch((error) => this.#log.warn({ err: error }, "an automatic restart failed"));
    });
  }

  #recoverRestart(record: InstanceRecord): void {
    const nextAt = record.status.restart?.nextAt;
    if (record.status.restart === null) {
      if (record.spec.features.includes("delete-on-stop") && record.status.startCount > 0)
        void this.#deleteAfterStop();
      return;
    }
    this.#scheduleRestart(Math.max(0, (nextAt ?? 0) - this.#deps.clock.now()));
  }

  async #deleteAfterStop(): Promise<void> {
    try {
      await this.#deps.feed.whenUnfollowed(this.#id, readersComeMs, readersLeaveMs);
      if (this.#deps.registry.find(this.#id)?.status.state === "stopped") await this.delete();
    } catch (error) {
      this.#log.warn({ err: error }, "deletion after the stop was refused");
    }
  }

  async #deleteNow(): Promise<void> {
    const record = this.#deps.registry.find(this.#id);
    if (record === undefined) return;
    const live = this.#live;
    this.#live = undefined;
    await this.#deps.lifecycle.end(record, live);
    await (await this.#logStore)?.close();
    this.#logStore = undefined;
    await this.#deps.lifecycle.erase(record);
    await this.#deps.registry.remove(this.#id, this.#deps.clock.now());
    this.#deps.feed.nudge(this.#id);
    this.#deps.onGone(this.#id);
  }

  /** Brings queued changes about; one that fails stays, marked, so that its owner sees why. */
  async #applyPending(): Promise<void> {
    for (const update of this.#record().status.updates.filter((each) => each.status === "pending")) {
      const record = this.#record();
      const others = record.status.updates.filter((each) => each !== update);
      try {
        const patch = await this.#patchFor(record, update as InstanceUpdate);
        await this.#deps.registry.change(this.#id, { spec: patch, status: { updates: others } });
      } catch (thrown) {
        const { message } = toUniError(thrown, `change '${update.prop}'`);
        await this.#save({ updates: [...others, { ...update, status: "failed", error: message }] });
      }
    }
  }

  async #patchFor(record: InstanceRecord, update: InstanceUpdate) {
    if (update.prop !== "image") return applyUpdate(record.spec, update);
    if (update.op !== "set") {
      throw new UniError("invalid_value", `${update.op} the image of an instance: it can only be set`);
    }
    const image = await this.#deps.lifecycle.resolveImage(update.value as string);
    return { imageReference: image.reference, imageDigest: image.digest };
  }

  async #note(sentence: string, guestOffsetAfter?: number): Promise<void> {
    const bytes = Buffer.from(`uni: ${sentence}\n`);
    await (await this.logStore()).append("system", this.#deps.clock.now(), bytes, guestOffsetAfter);
    this.#deps.feed.nudge(this.#id);
  }
}

const stoppedStatus = (outcome: StopOutcome): Partial<InstanceStatus> => ({
  state: "stopped",
  configured: false,
  stopReason: outcome.stopReason,
  exitCode: outcome.exitCode,
  stopCode: outcome.stopCode,
  exitReason: outcome.exitReason,
});

async function machineCause(live: LiveInstance, exit: MachineExit): Promise<StopCause> {
  switch (exit.kind) {
    case "guest-panic":
      return { kind: "panic", lastWords: await live.machine.lastWords().catch(() => "") };
    case "guest-shutdown":
      return { kind: "guest-reset" };
    case "vmm-died":
    case "killed":
      return { kind: "vmm-died" };
    default:
      return exit satisfies never;
  }
}
