/**
 * The runs of one instance: how each begins, what its machine and guest do by themselves meanwhile, how it ends, and what
 * follows by itself. All of it is tasks of the owner, or parts of them.
 */
import { toUniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { Log } from "../base/log.ts";
import type { MachineExit } from "../vmm/port.ts";
import type { Agenda } from "./agenda.ts";
import { begunStatus } from "./begin-of-run.ts";
import { deleteOnStop } from "./delete-on-stop.ts";
import { endOfRun, lastWord } from "./end-of-run.ts";
import { GuestJournal, type JournalDependencies } from "./guest-journal.ts";
import { type GuestRequest, isRequest } from "./guest-request.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "./lifecycle.ts";
import { applyPending } from "./pending-updates.ts";
import type { InstanceRecord, InstanceStatus } from "./record.ts";
import { interruptedBy, machineCause, powerOff } from "./run-end.ts";
import { type Cause, reported } from "./stop-cause.ts";
import type { StopCause } from "./stop-outcome.ts";

export interface RunDependencies extends JournalDependencies {
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  /** What the guest asks for; it is told of the outcome by whoever this is. */
  readonly onGuestRequest: (id: InstanceId, request: GuestRequest) => void;
  /** The guest can be told of what it missed. */
  readonly onReached: (id: InstanceId) => void;
  /** Throws when all are being stopped. */
  readonly requireRunsAllowed: () => void;
}

/** What the runs need of their owner. */
export interface RunSurroundings {
  readonly agenda: Agenda;
  readonly onMilestone: (kind: "started" | "listening") => void;
  readonly onLive: (live: LiveInstance) => void;
  /** Nothing more is to come of its machine. */
  readonly onParted: () => void;
  /** The deletion that the instance asked for itself. */
  readonly remove: () => Promise<void>;
}

interface EndOptions {
  /** The guest may put itself to rest, until the signal aborts. */
  readonly polite: boolean;
  readonly signal?: AbortSignal;
}

/** How long a configured guest may take to run its program before the start counts as failed. */
const startedWithinMs = 60_000;
/** An end that failed half-way is tried again after this. */
const tryAgainMs = 5_000;
/** A guest whose channel broke while its machine goes on is connected to again after this. */
const reachAgainMs = 1_000;

export class Runs {
  readonly journal: GuestJournal;
  readonly #id: InstanceId;
  readonly #deps: RunDependencies;
  readonly #surroundings: RunSurroundings;
  readonly #agenda: Agenda;
  #live: LiveInstance | undefined;

  /** `deps.log` tells of this instance. */
  constructor(id: InstanceId, deps: RunDependencies, surroundings: RunSurroundings) {
    this.journal = new GuestJournal(id, deps);
    this.#id = id;
    this.#deps = deps;
    this.#surroundings = surroundings;
    this.#agenda = surroundings.agenda;
  }

  get live(): LiveInstance | undefined {
    return this.#live;
  }

  /** Writes down that a run is to begin. Synced beside the start, before the guest runs: a power cut ends what is made until then. */
  async begin(restart: InstanceStatus["restart"]): Promise<void> {
    this.#deps.requireRunsAllowed();
    const status = begunStatus(this.#record(), restart, this.#deps.clock.now());
    await this.#deps.registry.change(this.#id, { status }, { synced: false });
  }

  async boot(signal: AbortSignal): Promise<void> {
    await this.begin(null);
    await this.run(signal);
  }

  /** What has begun. */
  async run(signal: AbortSignal): Promise<void> {
    const { lifecycle, registry } = this.#deps;
    let record = this.#record();
    let hasMedia = true;
    try {
      await this.journal.startRun();
      if (record.status.intent !== "run") throw interruptedBy("a stop");
      if (record.spec.media !== null) {
        hasMedia = false;
        record = await registry.change(this.#id, { spec: await lifecycle.bringMedia(record, signal) });
        hasMedia = true;
      }
      this.attach(await lifecycle.start(record, "run", this.hooks(), signal));
    } catch (thrown) {
      const error = toUniError(thrown, `start instance '${record.name}'`);
      if (registry.find(this.#id)?.status.intent !== "run") await this.settle({ kind: "interrupted" });
      else {
        const kind = !hasMedia || error.code === "image_not_found" ? "no-medium" : "failed";
        await this.settle({ kind, message: error.message });
      }
      throw error;
    }
    if (this.#record().status.state === "starting") this.#watchStart();
  }

  #watchStart(): void {
    this.#agenda.later(startedWithinMs, "ending a start that hangs", async () => {
      if (this.#record().status.state !== "starting") return;
      const message = `the guest did not run its program within ${startedWithinMs / 1000} s`;
      await this.end(() => ({ kind: "failed", message }), { polite: false });
    });
  }

  /** Takes a machine over, or lets it go without drawing conclusions. */
  attach(live: LiveInstance | undefined): void {
    this.#live = live;
    if (live === undefined) return;
    void live.machine.exited.then((exit) => this.#onMachineExit(live, exit));
    void live.channel.closed.then(() => this.#onChannelLost(live));
    this.#deps.onReached(this.#id);
    this.#surroundings.onLive(live);
  }

  /** The machine, if there is one, is the caller's to end or to release. */
  part(): LiveInstance | undefined {
    const live = this.#live;
    this.#live = undefined;
    this.#surroundings.onParted();
    return live;
  }

  /** A full disk, or a guest that breaks the protocol: the agent keeps what was not acknowledged for a new channel. */
  #onChannelLost(live: LiveInstance): void {
    if (this.#live !== live) return;
    this.#deps.clock.after(reachAgainMs, () =>
      this.#agenda.enqueueQuietly("reaching a guest again", async () => {
        if (this.#live !== live) return;
        this.#live = undefined;
        await this.#deps.lifecycle.release(live);
        const again = await this.#deps.lifecycle.adopt(this.#record(), this.hooks());
        if (again === undefined) return this.settle({ kind: "vmm-died" });
        this.attach(again);
      }),
    );
  }

  hooks(): StartHooks {
    return {
      synced: () => this.#deps.registry.synced(),
      onProgress: async (status, options) =>
        void (await this.#deps.registry.change(this.#id, { status }, options)),
      onEvent: async (event) => {
        if (isRequest(event)) return this.#deps.onGuestRequest(this.#id, event);
        const exit = await this.journal.take(event);
        if (event.kind === "started" || event.kind === "listening") {
          this.#surroundings.onMilestone(event.kind);
        }
        if (exit === undefined) return;
        // A stop under way ends the run itself; otherwise the program ended by itself.
        this.#agenda.enqueueQuietly("ending a run", async (signal) => {
          if (this.#live === undefined || this.#record().status.exit !== exit) return;
          await this.end(() => reported(exit), { polite: true, signal });
        });
      },
    };
  }

  #onMachineExit(live: LiveInstance, exit: MachineExit): void {
    if (exit.kind === "killed" || this.#live !== live) return;
    this.#agenda.tasks.interrupt(interruptedBy("the end of its machine"));
    this.#agenda.enqueueQuietly("ending a run", async () => {
      if (this.#live !== live) return;
      const cause = await machineCause(live, exit);
      await this.end(() => cause, { polite: false });
    });
  }

  /**
   * `cause` is asked after the guest's last word: when it answers that the program is gone, the report of how it ended may
   * still wait behind output on its way into the log.
   */
  async end(cause: Cause, { polite, signal }: EndOptions): Promise<void> {
    const live = this.#live;
    const record = await this.#save({ state: "stopping" });
    if (live !== undefined && polite) await powerOff(live, { ...this.#deps, signal });
    this.part();
    try {
      await this.#deps.lifecycle.end(record, live);
    } catch (error) {
      this.#agenda.later(tryAgainMs, "ending a run again", async () => {
        if (this.#record().status.state === "stopping") await this.end(cause, { polite: false });
      });
      throw error;
    }
    await this.settle(cause(this.#record().status.exit));
  }

  /** Writes why the run ended, and what comes next: a restart, a deletion, or nothing. */
  async settle(cause: StopCause): Promise<void> {
    this.#agenda.cancelLater();
    const sentence = lastWord(cause, this.#record().spec.memoryMb);
    if (sentence !== undefined) {
      await this.journal
        .note(sentence)
        .catch((error) => this.#deps.log.warn({ err: error }, "the end of a run is not in its log"));
    }
    const { status, restartDelayMs } = endOfRun(this.#record(), cause, this.#deps.clock.now());
    await this.#save(status);
    await applyPending(this.#deps, this.#id);
    this.#deps.feed.nudge(this.#id);
    if (restartDelayMs !== undefined) this.restartAfter(restartDelayMs);
    else if (status.intent !== "delete") this.deleteIfAsked();
  }

  restartAfter(delayMs: number): void {
    this.#agenda.later(delayMs, "an automatic restart", async (signal) => {
      const { state, intent, restart } = this.#record().status;
      if (state !== "stopped" || intent !== "run" || restart === null) return;
      await this.begin({ ...restart, nextAt: null });
      await this.run(signal);
    });
  }

  deleteIfAsked(): void {
    deleteOnStop(this.#deps, this.#record(), this.#surroundings.remove).catch((error) =>
      this.#deps.log.warn({ err: error }, "deletion after the stop was refused"),
    );
  }

  #record(): InstanceRecord {
    return this.#deps.registry.get(this.#id);
  }

  #save(status: Partial<InstanceStatus>): Promise<InstanceRecord> {
    return this.#deps.registry.change(this.#id, { status });
  }
}
