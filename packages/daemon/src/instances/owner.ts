/**
 * One owner per instance: all that changes it runs here, one task after the other. Requests pass `admit` first; a stop
 * or delete that cannot wait interrupts the task under way. What the guest or the VMM does by itself arrives as an event
 * and becomes a task too. The order inside a task is always: write the intent, act, write the outcome.
 *
 * Here is what is asked for; what becomes of a run is in runs.ts, of one that sleeps in sleeper.ts, of what an earlier daemon
 * left in takeover.ts.
 */
import type { InstanceId } from "@uni/contract/ids";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import { type Request, requireAdmitted } from "./admission.ts";
import { Agenda } from "./agenda.ts";
import { begunStatus } from "./begin-of-run.ts";
import type { GoBack, HeldInstance } from "./held.ts";
import type { LiveInstance } from "./lifecycle.ts";
import type { LogStore } from "./log-store.ts";
import { Maintenance } from "./maintenance.ts";
import { applyPending, updateInstance } from "./pending-updates.ts";
import { changePorts } from "./port-changes.ts";
import { ProgramInput } from "./program-input.ts";
import type { InstanceRecord, InstanceStatus } from "./record.ts";
import { interruptedBy, type StopRequest, stopPolitely } from "./run-end.ts";
import { type RunDependencies, Runs } from "./runs.ts";
import { Sessions } from "./sessions.ts";
import { Sleeper, type SleepRequest } from "./sleeper.ts";
import { forced, stoppedAsAsked } from "./stop-cause.ts";
import { takeOver } from "./takeover.ts";

export interface OwnerDependencies extends RunDependencies {
  /** A wake took so long from the packet or call until it ran. */
  readonly onWoken: (id: InstanceId, latencyMs: number) => void;
  /** Called when the instance is gone for good. */
  readonly onGone: (id: InstanceId) => void;
}

/** A deletion that failed half-way is tried again after this. */
const tryAgainMs = 5_000;

export class InstanceOwner {
  readonly sessions = new Sessions();
  readonly input = new ProgramInput();
  readonly #id: InstanceId;
  readonly #deps: OwnerDependencies;
  readonly #agenda: Agenda;
  readonly #maintenance: Maintenance;
  readonly #runs: Runs;
  readonly #sleeper: Sleeper;
  /** Stops and deletions asked for so far: a start that was queued before the last of them does not happen. */
  #stopsAsked = 0;

  constructor(id: InstanceId, dependencies: OwnerDependencies) {
    const deps = { ...dependencies, log: dependencies.log.child({ instance: id }) };
    const agenda = new Agenda(deps);
    const { tasks } = agenda;
    const runs = new Runs(id, deps, {
      agenda,
      onMilestone: (kind) => this.#sleeper.onMilestone(kind),
      onParted: () => this.#sleeper.close(),
      onLive: ({ channel }) => this.input.reached(channel),
      remove: () => this.delete(),
    });
    this.#id = id;
    this.#deps = deps;
    this.#agenda = agenda;
    this.#runs = runs;
    this.#maintenance = new Maintenance(deps, tasks);
    this.#sleeper = new Sleeper({
      ...deps,
      tasks,
      record: () => this.#record(),
      save: (status, options) => deps.registry.change(id, { status }, options),
      live: () => runs.live,
      setLive: (live) => runs.attach(live),
      hooks: () => runs.hooks(),
      boot: (signal) => runs.boot(signal),
      endRun: (cause) => runs.end(() => cause, { polite: false }),
      note: (sentence) => runs.journal.note(sentence),
      afterStop: () => applyPending(deps, id),
      changeRoms: () => applyPending(deps, id, ({ prop }) => prop === "roms"),
      onWoken: (latencyMs) => deps.onWoken(id, latencyMs),
    });
  }

  /** The running guest, for exec, files and statistics. */
  get live(): LiveInstance | undefined {
    return this.#runs.live;
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
    return this.#runs.journal.store();
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
    return this.#agenda.tasks.run(async () => {
      const { state, origin } = this.#record().status;
      if (state === "stopped" && origin?.entered === false) {
        await this.#save({ origin: { ...origin, snapshot: null } });
      }
    });
  }

  #start(): Promise<void> {
    this.#agenda.cancelLater();
    const stopsAsked = this.#stopsAsked;
    // At once, so that a stop that comes before the task has its turn finds something to stop.
    const begun = this.#record().status.state === "stopped" ? this.#runs.begin(null) : undefined;
    return this.#agenda.enqueueAfter(begun, async (signal) => {
      if (this.#runs.live !== undefined) return;
      if (this.#record().status.state !== "starting") {
        if (stopsAsked !== this.#stopsAsked) throw interruptedBy("a stop");
        await this.#runs.begin(null);
      }
      await this.#runs.run(signal);
    });
  }

  /** Throws when it is refused. Resolves when it is stopped. */
  stop(request: StopRequest): Promise<void> {
    return this.#stop(request, this.#admit(request.force ? "force-stop" : "stop"));
  }

  async #stop(request: StopRequest, verdict: "queue" | "interrupt" | "already"): Promise<void> {
    if (this.#record().status.intent === "delete") return this.idle();
    this.#stopsAsked += 1;
    this.#agenda.cancelLater();
    if (verdict === "already") {
      if (this.#record().status.restart !== null) await this.#save({ restart: null, intent: "stop" });
      return this.idle();
    }
    const wish = this.#save({ intent: "stop", restart: null });
    if (verdict === "interrupt") this.#agenda.tasks.interrupt(interruptedBy("a stop"));
    await this.#agenda.enqueueAfter(wish, (signal) => this.#stopNow(request, signal));
  }

  /** Throws when it is refused. Resolves when it is gone. */
  delete(): Promise<void> {
    this.#admit("delete");
    return this.#delete();
  }

  async #delete(): Promise<void> {
    this.#stopsAsked += 1;
    this.#agenda.cancelLater();
    const wish = this.#save({ intent: "delete" });
    this.#agenda.tasks.interrupt(interruptedBy("a deletion"));
    this.#maintenance.cutShort(interruptedBy("a deletion"));
    await this.#agenda.enqueueAfter(wish, () => this.#deleteNow());
  }

  /** Ports change behind what is under way, as every step of a run holds and gives back those of its beginning. */
  update(update: InstanceUpdate): Promise<void> {
    if (update.prop === "ports") {
      return this.#agenda.tasks.run(() => changePorts(this.#deps, this.#id, update));
    }
    return updateInstance(this.#deps, this.#id, update);
  }

  /** Runs `body` with the guest up and no program started; only for a stopped instance. A deletion cuts it short. */
  async maintain<T>(body: (live: LiveInstance) => Promise<T>): Promise<T> {
    this.#admit("maintain");
    return this.#agenda.tasks.run(async () => {
      this.#admit("maintain");
      this.#deps.requireRunsAllowed();
      return this.#maintenance.run(this.#record(), body);
    });
  }

  /** Nothing else happens to it while `body` runs; what ends its run aborts the signal. */
  hold<T>(body: (held: HeldInstance) => Promise<T>): Promise<T> {
    return this.#agenda.tasks.run((signal) => {
      this.#record();
      return body({
        record: () => this.#record(),
        live: () => this.#runs.live,
        signal,
        goBack: (to) => this.#goBack(to),
        run: () => this.#runs.run(signal),
        turnInto: (take) => this.#turnInto(take),
      });
    });
  }

  /** Takes over what an earlier daemon left once the host is `prepared`. */
  recover(prepared: Promise<void>): Promise<void> {
    const { state, intent } = this.#record().status;
    // Nobody who asks before its turn comes is told that it runs: it is about to be stopped.
    const told = intent === "stop" && state === "running" ? this.#save({ state: "stopping" }) : undefined;
    const heir = {
      ...this.#deps,
      ...{ id: this.#id, agenda: this.#agenda, runs: this.#runs, sleeper: this.#sleeper },
      stop: (request: StopRequest, signal: AbortSignal) => this.#stopNow(request, signal),
      remove: () => this.#deleteNow(),
    };
    return this.#agenda.enqueueAfter(told, async (signal) => {
      await prepared.catch(() => {}); // Who prepares reports it; each instance brings its own part about.
      await takeOver(heir, signal);
    });
  }

  /** Lets the machine go on and forgets it: the daemon is about to end. */
  async release(): Promise<void> {
    this.#agenda.cancelLater();
    const live = this.#runs.part();
    if (live !== undefined) await this.#deps.lifecycle.release(live);
    await this.#runs.journal.close();
  }

  /** Resolves when all tasks queued so far are over. */
  idle(): Promise<void> {
    return this.#agenda.tasks.idle();
  }

  #record(): InstanceRecord {
    return this.#deps.registry.get(this.#id);
  }

  #save(status: Partial<InstanceStatus>): Promise<InstanceRecord> {
    return this.#deps.registry.change(this.#id, { status });
  }

  readonly #admit = (request: Request) => requireAdmitted(request, this.#record());

  async #stopNow(request: StopRequest, signal: AbortSignal): Promise<void> {
    if (await this.#sleeper.stop(request, signal)) return;
    const live = this.#runs.live;
    if (live === undefined) {
      const { state, intent } = this.#record().status;
      // What was to be stopped has ended before, and a newer start has begun behind it.
      if (state === "stopped" || intent === "run") return;
      return this.#runs.end(forced, { polite: false });
    }
    await this.#save({ state: "stopping", intent: "stop" });
    if (request.force) return this.#runs.end(forced, { polite: false });
    const stop = await stopPolitely(live, request.graceMs, { clock: this.#deps.clock, signal });
    await this.#runs.end((exit) => stoppedAsAsked(exit, stop), { polite: stop.gone, signal });
  }

  /** Written first: whoever finds it half-way starts it from there. */
  async #goBack({ spec, origin }: GoBack): Promise<void> {
    this.#deps.requireRunsAllowed();
    this.#agenda.cancelLater();
    const before = this.#record();
    const status = { ...begunStatus(before, null, this.#deps.clock.now()), sleep: null, origin };
    await this.#deps.registry.change(this.#id, { spec, status });
    await this.#deps.lifecycle.end(before, this.#runs.part());
  }

  /** `take` removes the record; what is left on the host goes here, or with the next daemon's recovery. */
  async #turnInto(take: () => Promise<void>): Promise<void> {
    const record = this.#record();
    await take();
    this.#agenda.cancelLater();
    await this.#deps.lifecycle.end(record, this.#runs.part());
    await this.#runs.journal.close();
    await this.#deps.lifecycle.erase(record);
    this.#deps.feed.nudge(this.#id);
    this.#deps.onGone(this.#id);
  }

  async #deleteNow(): Promise<void> {
    const record = this.#deps.registry.find(this.#id);
    if (record === undefined) return;
    this.#agenda.cancelLater();
    const live = this.#runs.part();
    try {
      await this.#deps.lifecycle.end(record, live);
      await this.#runs.journal.close();
      await this.#deps.lifecycle.erase(record);
      await this.#deps.registry.remove(this.#id, this.#deps.clock.now());
    } catch (error) {
      this.#agenda.later(tryAgainMs, "a deletion again", () => this.#deleteNow());
      throw error;
    }
    this.#deps.feed.nudge(this.#id);
    this.#deps.onGone(this.#id);
  }
}
