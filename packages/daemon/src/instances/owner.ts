/**
 * One owner per instance: all that changes it runs here, one task after the other. Requests pass `admit` first; a stop
 * or delete that cannot wait interrupts the task under way. What the guest or the VMM does by itself arrives as an event
 * and becomes a task too. The order inside a task is always: write the intent, act, write the outcome.
 */
import { toUniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { Log } from "../base/log.ts";
import { TaskQueue } from "../base/task-queue.ts";
import type { GuestEvent } from "../guest/port.ts";
import type { MachineExit } from "../vmm/port.ts";
import { type Request, requireAdmitted } from "./admission.ts";
import { begunStatus } from "./begin-of-run.ts";
import { deleteOnStop } from "./delete-on-stop.ts";
import { endOfRun, lastWord } from "./end-of-run.ts";
import { GuestJournal, type JournalDependencies } from "./guest-journal.ts";
import type { GoBack, HeldInstance } from "./held.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "./lifecycle.ts";
import type { LogStore } from "./log-store.ts";
import { Maintenance } from "./maintenance.ts";
import { applyPending, updateInstance } from "./pending-updates.ts";
import { changePorts } from "./port-changes.ts";
import type { InstanceRecord, InstanceStatus } from "./record.ts";
import { interruptedBy, machineCause, powerOff, type StopRequest, stopPolitely } from "./run-end.ts";
import { Sessions } from "./sessions.ts";
import { Sleeper, type SleepRequest } from "./sleeper.ts";
import { type Cause, exitCause, forced, reported, stoppedAsAsked } from "./stop-cause.ts";
import type { StopCause } from "./stop-outcome.ts";

export interface OwnerDependencies extends JournalDependencies {
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  /** A wake took so long from the packet or call until it ran. */
  readonly onWoken: (id: InstanceId, latencyMs: number) => void;
  /** What the guest asks for; it is told of the outcome by whoever this is. */
  readonly onGuestRequest: (id: InstanceId, request: GuestRequest) => void;
  /** The guest can be told of what it missed. */
  readonly onReached: (id: InstanceId) => void;
  /** Called when the instance is gone for good. */
  readonly onGone: (id: InstanceId) => void;
}

export type GuestRequest = Extract<
  GuestEvent,
  { kind: "template-requested" | "template-withdrawn" | "fork-requested" }
>;
const isRequest = (event: GuestEvent): event is GuestRequest =>
  event.kind === "template-requested" ||
  event.kind === "template-withdrawn" ||
  event.kind === "fork-requested";
interface EndOptions {
  /** The guest may put itself to rest, until the signal aborts. */
  readonly polite: boolean;
  readonly signal?: AbortSignal;
}

/** How long a configured guest may take to run its program before the start counts as failed. */
const startedWithinMs = 60_000;
/** An end or a deletion that failed half-way is tried again after this. */
const tryAgainMs = 5_000;
/** A guest whose channel broke while its machine goes on is connected to again after this. */
const reachAgainMs = 1_000;

export class InstanceOwner {
  readonly sessions = new Sessions();
  readonly #id: InstanceId;
  readonly #deps: OwnerDependencies;
  readonly #log: Log;
  readonly #journal: GuestJournal;
  readonly #tasks = new TaskQueue();
  readonly #maintenance: Maintenance;
  readonly #sleeper: Sleeper;
  /** Stops and deletions asked for so far: a start that was queued before the last of them does not happen. */
  #stopsAsked = 0;
  #live: LiveInstance | undefined;
  #cancelTimer: () => void = () => {};

  constructor(id: InstanceId, deps: OwnerDependencies) {
    this.#id = id;
    this.#deps = deps;
    this.#log = deps.log.child({ instance: id });
    this.#journal = new GuestJournal(id, deps);
    this.#maintenance = new Maintenance(deps, this.#tasks);
    this.#sleeper = new Sleeper({
      ...deps,
      log: this.#log,
      tasks: this.#tasks,
      record: () => this.#record(),
      save: (status, options) => deps.registry.change(id, { status }, options),
      live: () => this.#live,
      setLive: (live) => this.#attachLive(live),
      hooks: () => this.#hooks(),
      boot: (signal) => this.#boot(signal),
      endRun: (cause) => this.#endRun(() => cause, { polite: false }),
      note: (sentence) => this.#journal.note(sentence),
      afterStop: () => applyPending(deps, id),
      changeRoms: () => applyPending(deps, id, ({ prop }) => prop === "roms"),
      onWoken: (latencyMs) => deps.onWoken(id, latencyMs),
    });
  }

  /** The running guest, for exec, files and statistics. */
  get live(): LiveInstance | undefined {
    return this.#live;
  }

  /** Throws when it is refused. Resolves when it sleeps, or was turned back. */
  sleep(request: SleepRequest): Promise<void> {
    return this.#admit("sleep") === "already" ? this.idle() : this.#sleeper.sleep(request);
  }

  /** Of one that sleeps paused; else nothing happens. */
  sleepDeeper(): Promise<void> {
    return this.#sleeper.toDisk();
  }

  /** Resolves when it runs; nothing happens to one that does not sleep. */
  wake(): Promise<void> {
    return this.#sleeper.wake();
  }

  logStore(): Promise<LogStore> {
    return this.#journal.store();
  }

  /**
   * Throws when it is refused. Resolves when the guest has its configuration; rejects when the start failed. One that sleeps
   * wakes; `cold` boots it without the memory it had.
   */
  async start({ cold = false }: { readonly cold?: boolean } = {}): Promise<void> {
    if (this.#admit("start") === "already") return;
    if (cold) await this.#forgetOrigin();
    if (this.#record().status.intent !== "sleep") return this.#start();
    if (!cold) return this.#sleeper.wake();
    await this.#sleeper.forget();
    await this.#start();
  }

  /** The memory that waits for its start; the disk stays. */
  #forgetOrigin(): Promise<void> {
    return this.#tasks.run(async () => {
      const { state, origin } = this.#record().status;
      if (state === "stopped" && origin?.entered === false) {
        await this.#save({ origin: { ...origin, snapshot: null } });
      }
    });
  }

  #start(): Promise<void> {
    this.#cancelTimer();
    const stopsAsked = this.#stopsAsked;
    // At once, so that a stop that comes before the task has its turn finds something to stop.
    const begun = this.#record().status.state === "stopped" ? this.#begin(null) : undefined;
    return this.#enqueueAfter(begun, async (signal) => {
      if (this.#live !== undefined) return;
      if (this.#record().status.state !== "starting") {
        if (stopsAsked !== this.#stopsAsked) throw interruptedBy("a stop");
        await this.#begin(null);
      }
      await this.#run(signal);
    });
  }

  /** Throws when it is refused. Resolves when it is stopped. */
  stop(request: StopRequest): Promise<void> {
    return this.#stop(request, this.#admit(request.force ? "force-stop" : "stop"));
  }

  async #stop(request: StopRequest, verdict: "queue" | "interrupt" | "already"): Promise<void> {
    if (this.#record().status.intent === "delete") return this.idle();
    this.#stopsAsked += 1;
    this.#cancelTimer();
    if (verdict === "already") {
      if (this.#record().status.restart !== null) await this.#save({ restart: null, intent: "stop" });
      return this.idle();
    }
    const wish = this.#save({ intent: "stop", restart: null });
    if (verdict === "interrupt") this.#tasks.interrupt(interruptedBy("a stop"));
    await this.#enqueueAfter(wish, (signal) => this.#stopNow(request, signal));
  }

  /** Throws when it is refused. Resolves when it is gone. */
  delete(): Promise<void> {
    this.#admit("delete");
    return this.#delete();
  }

  async #delete(): Promise<void> {
    this.#stopsAsked += 1;
    this.#cancelTimer();
    const wish = this.#save({ intent: "delete" });
    this.#tasks.interrupt(interruptedBy("a deletion"));
    this.#maintenance.cutShort(interruptedBy("a deletion"));
    await this.#enqueueAfter(wish, () => this.#deleteNow());
  }

  /** Ports change behind what is under way, as every step of a run holds and gives back those of its beginning. */
  update(update: InstanceUpdate): Promise<void> {
    if (update.prop === "ports") {
      return this.#tasks.run(() => changePorts(this.#deps, this.#id, update));
    }
    return updateInstance(this.#deps, this.#id, update);
  }

  /** Runs `body` with the guest up and no program started; only for a stopped instance. A deletion cuts it short. */
  async maintain<T>(body: (live: LiveInstance) => Promise<T>): Promise<T> {
    this.#admit("maintain");
    return this.#tasks.run(async () => {
      this.#admit("maintain");
      return this.#maintenance.run(this.#record(), body);
    });
  }

  /** Nothing else happens to it while `body` runs; what ends its run aborts the signal. */
  hold<T>(body: (held: HeldInstance) => Promise<T>): Promise<T> {
    return this.#tasks.run((signal) => {
      this.#record();
      return body({
        record: () => this.#record(),
        live: () => this.#live,
        signal,
        goBack: (to) => this.#goBack(to),
        run: () => this.#run(signal),
        turnInto: (take) => this.#turnInto(take),
      });
    });
  }

  /** Takes over what an earlier daemon left once the host is `prepared`, and finishes or undoes what it had begun. */
  recover(prepared: Promise<void>): Promise<void> {
    const { state, intent } = this.#record().status;
    // Nobody who asks before its turn comes is told that it runs: it is about to be stopped.
    const told = intent === "stop" && state === "running" ? this.#save({ state: "stopping" }) : undefined;
    return this.#enqueueAfter(told, async (signal) => {
      await prepared.catch(() => {}); // Who prepares reports it; each instance brings its own part about.
      await this.#recoverOnce(signal);
    });
  }

  /** Tried again whatever is asked for meanwhile: a machine that is left stands in the way of the next one. */
  async #recoverOnce(signal: AbortSignal): Promise<void> {
    await this.#recoverNow(signal).catch((error) => {
      const again = () => this.#enqueueQuietly("a takeover again", (next) => this.#recoverOnce(next));
      this.#deps.clock.after(tryAgainMs, again);
      throw error;
    });
  }

  async #recoverNow(signal: AbortSignal): Promise<void> {
    const record = this.#deps.registry.find(this.#id);
    if (record === undefined || this.#live !== undefined) return;
    const { state, intent, configured, exit } = record.status;
    if (intent === "delete") return this.#deleteNow();
    if (state === "stopped") return this.#recoverStopped(record);
    if (await this.#sleeper.recover(signal)) return;
    if (!configured) {
      await this.#deps.lifecycle.end(record, undefined);
      // What went on from a snapshot ran before its guest had become who it was to be.
      if (state === "running") await this.#save({ state: "starting" });
      if (intent === "run") return this.#run(signal);
      return this.#settle({ kind: "interrupted" });
    }
    const live = await this.#deps.lifecycle.adopt(record, this.#hooks());
    if (live === undefined) return this.#settle(exitCause(exit, intent) ?? { kind: "vmm-died" });
    this.#attachLive(live);
    this.#log.info({ state }, "took over a running machine");
    if (intent === "stop") {
      return this.#stopNow({ force: false, graceMs: record.spec.gracePeriodMs }, signal);
    }
    if (exit !== null) return this.#endRun(() => reported(exit), { polite: true, signal });
    this.#sleeper.onMilestone(record.status.netTimeUs === null ? "started" : "listening");
  }

  /** Lets the machine go on and forgets it: the daemon is about to end. */
  async release(): Promise<void> {
    this.#cancelTimer();
    this.#sleeper.close();
    const live = this.#live;
    this.#live = undefined;
    if (live !== undefined) await this.#deps.lifecycle.release(live);
    await this.#journal.close();
  }

  /** Resolves when all tasks queued so far are over. */
  idle(): Promise<void> {
    return this.#tasks.idle();
  }

  #record(): InstanceRecord {
    return this.#deps.registry.get(this.#id);
  }

  #save(status: Partial<InstanceStatus>): Promise<InstanceRecord> {
    return this.#deps.registry.change(this.#id, { status });
  }

  readonly #admit = (request: Request) => requireAdmitted(request, this.#record());

  /** The task has its place at once, in the order of the requests, and begins when what it is about to do is written down. */
  #enqueueAfter(written: Promise<unknown> | undefined, body: (signal: AbortSignal) => Promise<void>) {
    written?.catch(() => {}); // The task meets it, perhaps later than it happens.
    return this.#tasks.run(async (signal) => {
      await written;
      await body(signal);
    });
  }

  /** For tasks that nobody waits for. */
  #enqueueQuietly(what: string, body: (signal: AbortSignal) => Promise<void>): void {
    this.#tasks.run(body).catch((error) => this.#log.error({ err: error }, `${what} failed`));
  }

  /** One thing at most is due later; a request that changes the plan cancels it. */
  #later(ms: number, what: string, body: (signal: AbortSignal) => Promise<void>): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.clock.after(ms, () => this.#enqueueQuietly(what, body));
  }

  /** Writes down that a run is to begin. Synced beside the start, before the guest runs: a power cut ends what is made until then. */
  async #begin(restart: InstanceStatus["restart"]): Promise<void> {
    const status = begunStatus(this.#record(), restart, this.#deps.clock.now());
    await this.#deps.registry.change(this.#id, { status }, { synced: false });
  }

  async #boot(signal: AbortSignal): Promise<void> {
    await this.#begin(null);
    await this.#run(signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { lifecycle, registry } = this.#deps;
    let record = this.#record();
    let hasMedia = true;
    try {
      await this.#journal.startRun();
      if (record.status.intent !== "run") throw interruptedBy("a stop");
      if (record.spec.media !== null) {
        hasMedia = false;
        record = await registry.change(this.#id, { spec: await lifecycle.bringMedia(record, signal) });
        hasMedia = true;
      }
      this.#attachLive(await lifecycle.start(record, "run", this.#hooks(), signal));
    } catch (thrown) {
      const error = toUniError(thrown, `start instance '${record.name}'`);
      if (registry.find(this.#id)?.status.intent !== "run") await this.#settle({ kind: "interrupted" });
      else {
        const kind = !hasMedia || error.code === "image_not_found" ? "no-medium" : "failed";
        await this.#settle({ kind, message: error.message });
      }
      throw error;
    }
    if (this.#record().status.state === "starting") this.#watchStart();
  }

  #watchStart(): void {
    this.#later(startedWithinMs, "ending a start that hangs", async () => {
      if (this.#record().status.state !== "starting") return;
      const message = `the guest did not run its program within ${startedWithinMs / 1000} s`;
      await this.#endRun(() => ({ kind: "failed", message }), { polite: false });
    });
  }

  #attachLive(live: LiveInstance | undefined): void {
    this.#live = live;
    if (live === undefined) return;
    void live.machine.exited.then((exit) => this.#onMachineExit(live, exit));
    void live.channel.closed.then(() => this.#onChannelLost(live));
    this.#deps.onReached(this.#id);
  }

  /** A full disk, or a guest that breaks the protocol: the agent keeps what was not acknowledged for a new channel. */
  #onChannelLost(live: LiveInstance): void {
    if (this.#live !== live) return;
    this.#deps.clock.after(reachAgainMs, () =>
      this.#enqueueQuietly("reaching a guest again", async () => {
        if (this.#live !== live) return;
        this.#live = undefined;
        await this.#deps.lifecycle.release(live);
        const again = await this.#deps.lifecycle.adopt(this.#record(), this.#hooks());
        if (again === undefined) return this.#settle({ kind: "vmm-died" });
        this.#attachLive(again);
      }),
    );
  }

  #hooks(): StartHooks {
    return {
      synced: () => this.#deps.registry.synced(),
      onProgress: async (status, options) =>
        void (await this.#deps.registry.change(this.#id, { status }, options)),
      onEvent: async (event) => {
        if (isRequest(event)) return this.#deps.onGuestRequest(this.#id, event);
        const exit = await this.#journal.take(event);
        if (event.kind === "started" || event.kind === "listening") this.#sleeper.onMilestone(event.kind);
        if (exit === undefined) return;
        // A stop under way ends the run itself; otherwise the program ended by itself.
        this.#enqueueQuietly("ending a run", async (signal) => {
          if (this.#live === undefined || this.#record().status.exit !== exit) return;
          await this.#endRun(() => reported(exit), { polite: true, signal });
        });
      },
    };
  }

  #onMachineExit(live: LiveInstance, exit: MachineExit): void {
    if (exit.kind === "killed" || this.#live !== live) return;
    this.#tasks.interrupt(interruptedBy("the end of its machine"));
    this.#enqueueQuietly("ending a run", async () => {
      if (this.#live !== live) return;
      const cause = await machineCause(live, exit);
      await this.#endRun(() => cause, { polite: false });
    });
  }

  async #stopNow(request: StopRequest, signal: AbortSignal): Promise<void> {
    if (await this.#sleeper.stop(request, signal)) return;
    const live = this.#live;
    if (live === undefined) {
      if (this.#record().status.state !== "stopped") await this.#endRun(forced, { polite: false });
      return;
    }
    await this.#save({ state: "stopping", intent: "stop" });
    if (request.force) return this.#endRun(forced, { polite: false });
    const stop = await stopPolitely(live, request.graceMs, { clock: this.#deps.clock, signal });
    await this.#endRun((exit) => stoppedAsAsked(exit, stop), { polite: stop.gone, signal });
  }

  /**
   * `cause` is asked after the guest's last word: when it answers that the program is gone, the report of how it ended may
   * still wait behind output on its way into the log.
   */
  async #endRun(cause: Cause, { polite, signal }: EndOptions): Promise<void> {
    const live = this.#live;
    const record = await this.#save({ state: "stopping" });
    if (live !== undefined && polite) await powerOff(live, { ...this.#deps, log: this.#log, signal });
    this.#live = undefined;
    this.#sleeper.close();
    try {
      await this.#deps.lifecycle.end(record, live);
    } catch (error) {
      this.#later(tryAgainMs, "ending a run again", async () => {
        if (this.#record().status.state === "stopping") await this.#endRun(cause, { polite: false });
      });
      throw error;
    }
    await this.#settle(cause(this.#record().status.exit));
  }

  /** Writes why the run ended, and what comes next: a restart, a deletion, or nothing. */
  async #settle(cause: StopCause): Promise<void> {
    this.#cancelTimer();
    const sentence = lastWord(cause, this.#record().spec.memoryMb);
    if (sentence !== undefined) {
      await this.#journal
        .note(sentence)
        .catch((error) => this.#log.warn({ err: error }, "the end of a run is not in its log"));
    }
    const { status, restartDelayMs } = endOfRun(this.#record(), cause, this.#deps.clock.now());
    await this.#save(status);
    await applyPending(this.#deps, this.#id);
    this.#deps.feed.nudge(this.#id);
    if (restartDelayMs !== undefined) this.#restartAfter(restartDelayMs);
    else if (status.intent !== "delete") this.#deleteIfAsked();
  }

  #restartAfter(delayMs: number): void {
    this.#later(delayMs, "an automatic restart", async (signal) => {
      const { state, intent, restart } = this.#record().status;
      if (state !== "stopped" || intent !== "run" || restart === null) return;
      await this.#begin({ ...restart, nextAt: null });
      await this.#run(signal);
    });
  }

  async #recoverStopped(record: InstanceRecord): Promise<void> {
    await this.#deps.lifecycle.end(record, undefined);
    const { restart, startCount } = record.status;
    if (restart !== null) this.#restartAfter(Math.max(0, (restart.nextAt ?? 0) - this.#deps.clock.now()));
    else if (startCount > 0) this.#deleteIfAsked();
  }

  #deleteIfAsked(): void {
    deleteOnStop(this.#deps, this.#record(), () => this.delete()).catch((error) =>
      this.#log.warn({ err: error }, "deletion after the stop was refused"),
    );
  }

  /** Written first: whoever finds it half-way starts it from there. */
  async #goBack({ spec, origin }: GoBack): Promise<void> {
    this.#cancelTimer();
    const before = this.#record();
    const status = { ...begunStatus(before, null, this.#deps.clock.now()), sleep: null, origin };
    await this.#deps.registry.change(this.#id, { spec, status });
    const live = this.#live;
    this.#live = undefined;
    this.#sleeper.close();
    await this.#deps.lifecycle.end(before, live);
  }

  /** `take` removes the record; what is left on the host goes here, or with the next daemon's recovery. */
  async #turnInto(take: () => Promise<void>): Promise<void> {
    const record = this.#record();
    await take();
    this.#cancelTimer();
    this.#sleeper.close();
    const live = this.#live;
    this.#live = undefined;
    await this.#deps.lifecycle.end(record, live);
    await this.#journal.close();
    await this.#deps.lifecycle.erase(record);
    this.#deps.feed.nudge(this.#id);
    this.#deps.onGone(this.#id);
  }

  async #deleteNow(): Promise<void> {
    const record = this.#deps.registry.find(this.#id);
    if (record === undefined) return;
    this.#cancelTimer();
    const live = this.#live;
    this.#live = undefined;
    try {
      await this.#deps.lifecycle.end(record, live);
      await this.#journal.close();
      await this.#deps.lifecycle.erase(record);
      await this.#deps.registry.remove(this.#id, this.#deps.clock.now());
    } catch (error) {
      this.#later(tryAgainMs, "a deletion again", () => this.#deleteNow());
      throw error;
    }
    this.#deps.feed.nudge(this.#id);
    this.#deps.onGone(this.#id);
  }
}
