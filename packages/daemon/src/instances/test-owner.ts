/** One instance and its owner over a world of pretended machines, which a new daemon finds again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { silentLog } from "../base/log.ts";
import { ManualClock } from "../base/manual-clock.ts";
import type { GuestEvent } from "../guest/port.ts";
import { ensureAccount } from "../store/accounts.ts";
import { openDatabase } from "../store/open.ts";
import type { MachineExit } from "../vmm/port.ts";
import type { Lifecycle, LiveInstance, SleepLifecycle, StartHooks } from "./lifecycle.ts";
import { LogStore } from "./log-store.ts";
import { OutputFeed } from "./output-feed.ts";
import type { InstanceOwner } from "./owner.ts";
import { Owners } from "./owners.ts";
import type { InstancePort, InstanceRecord, InstanceSpec, InstanceStatus } from "./record.ts";
import { Registry } from "./registry.ts";
import { account, digestOf, idOf, recordOf, resolveNothing } from "./test-records.ts";

const id = idOf(1);
export const exitedOk: GuestEvent = { kind: "exited", code: 0, signal: 0, oomKilled: false };

interface FakeMachine {
  readonly exit: PromiseWithResolvers<MachineExit>;
  channelLost: PromiseWithResolvers<void>;
  hooks: StartHooks;
  /** What no daemon has acknowledged: told again to the next. */
  unheard: GuestEvent[];
}

/** Machines that are there whatever daemon asks; at most one, as there is one instance. */
export class OwnerWorld {
  #machine: FakeMachine | undefined;
  #stopped = Promise.withResolvers<void>();
  stopsWith: GuestEvent | undefined = exitedOk;
  beforeGoodbye: () => Promise<void> = async () => {};
  failStart: Error | undefined;
  failEnd: Error | undefined;
  failAdopt: Error | undefined;

  get machines(): number {
    return this.#machine === undefined ? 0 : 1;
  }

  /** The guest says something; nobody hears it when there is none. */
  async say(event: GuestEvent): Promise<void> {
    const machine = this.#machine;
    if (machine === undefined) return;
    machine.unheard.push(event);
    await machine.hooks.onEvent(event);
    machine.unheard = machine.unheard.filter((each) => each !== event);
  }

  endStop(): void {
    this.#stopped.resolve();
  }

  loseChannel(): void {
    this.#machine?.channelLost.resolve();
  }

  /** The monitor goes by itself. */
  die(): void {
    const machine = this.#machine;
    this.#machine = undefined;
    machine?.exit.resolve({ kind: "vmm-died" });
  }

  /** What one daemon does to the world; `isDead`: it was killed, and nothing that it awaited comes back. */
  lifecycle(isDead: () => boolean): Lifecycle {
    const alive = async () => {
      await Promise.resolve();
      if (isDead()) await new Promise<never>(() => {});
    };
    return {
      start: async (_record, mode, hooks, signal) => {
        await alive();
        signal.throwIfAborted();
        if (this.failStart !== undefined) throw this.failStart;
        if (this.#machine !== undefined) throw new UniError("in_use", "start the machine: it runs already");
        const machine: FakeMachine = {
          exit: Promise.withResolvers<MachineExit>(),
          channelLost: Promise.withResolvers<void>(),
          hooks,
          unheard: [],
        };
        this.#machine = machine;
        await alive();
        await hooks.onProgress({ configured: mode === "run" });
        await alive();
        if (signal.aborted) {
          this.#machine = undefined;
          throw signal.reason;
        }
        return this.#live(machine, alive);
      },
      adopt: async (_record, hooks) => {
        await alive();
        if (this.failAdopt !== undefined) throw this.failAdopt;
        if (this.#machine === undefined) return undefined;
        this.#machine.hooks = hooks;
        this.#machine.channelLost = Promise.withResolvers<void>();
        for (const event of this.#machine.unheard.splice(0)) this.say(event).catch(() => {});
        return this.#live(this.#machine, alive);
      },
      end: async () => {
        await alive();
        if (this.failEnd !== undefined) throw this.failEnd;
        const machine = this.#machine;
        this.#machine = undefined;
        machine?.exit.resolve({ kind: "killed" });
      },
      release: async () => {},
      publish: async (_record, wishes, save) => {
        await alive();
        await save(wishes as readonly InstancePort[]);
      },
      erase: alive,
      resolveRoms: resolveNothing,
      bringMedia: async () => ({ media: null }),
      resolveImage: async (_account, given) => ({
        reference: typeof given === "string" ? given : given.url,
        digest: digestOf("1"),
      }),
      ...neverSleeps,
    };
  }

  #live(machine: FakeMachine, alive: () => Promise<void>): LiveInstance {
    this.#stopped = Promise.withResolvers<void>();
    const stopped = this.#stopped;
    const exited = machine.exit.promise.then(async (exit) => {
      await alive();
      return exit;
    });
    const channel = {
      stop: async () => {
        await alive();
        if (this.stopsWith === undefined) return stopped.promise;
        await this.say(this.stopsWith);
      },
      powerOff: () => this.beforeGoodbye(),
      close: async () => {},
      closed: machine.channelLost.promise,
    };
    return { machine: { exited, lastWords: async () => "" }, channel } as unknown as LiveInstance;
  }
}

const unasked = async (): Promise<never> => {
  throw new UniError("internal", "sleep: no test of this world asks for it");
};
/** Sleep has a world of its own: test-world.ts. */
const neverSleeps: SleepLifecycle = {
  hold: unasked,
  pause: unasked,
  unpause: unasked,
  toDisk: unasked,
  leave: unasked,
  fromDisk: unasked,
  checkSnapshot: unasked,
  findPaused: unasked,
  admitPackets: unasked,
};

export interface OwnerScene {
  readonly world: OwnerWorld;
  readonly clock: ManualClock;
  readonly owner: () => InstanceOwner;
  readonly status: () => InstanceStatus;
  readonly exists: () => boolean;
  /** Resolves at the instant in which it gets to that state. */
  readonly reached: (state: InstanceStatus["state"]) => Promise<void>;
  /** The log cannot be opened from now on. */
  readonly failLog: (error: Error | undefined) => void;
  /** The daemon is killed, and a new one comes over the same store and world. */
  readonly reopen: () => Promise<void>;
}

export async function withOwner(
  spec: Partial<InstanceSpec>,
  body: (scene: OwnerScene) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-owner-"));
  const clock = new ManualClock();
  const world = new OwnerWorld();
  let logFailure: Error | undefined;
  try {
    await ensureRecord(join(directory, "uni.db"), recordOf(1, { spec }));
    const open = async () => {
      const db = await openDatabase(join(directory, "uni.db"));
      const state = { dead: false };
      const logs: LogStore[] = [];
      const daemonsClock = clockUntil(clock, () => state.dead);
      const registry = await Registry.open(db);
      const owners = new Owners({
        registry,
        lifecycle: world.lifecycle(() => state.dead),
        clock: daemonsClock,
        log: silentLog,
        feed: new OutputFeed(daemonsClock),
        onGuestRequest: () => {},
        onReached: () => {},
        onWoken: () => {},
        openLog: async () => {
          if (logFailure !== undefined) throw logFailure;
          const store = await LogStore.open(join(directory, "log"));
          logs.push(store);
          if (state.dead) await store.close();
          return store;
        },
      });
      return { registry, owners, state, db, logs };
    };
    let daemon = await open();
    const kill = async () => {
      daemon.state.dead = true;
      await daemon.db.destroy();
      for (const store of daemon.logs) await store.close();
    };
    try {
      await body({
        world,
        clock,
        owner: () => daemon.owners.of(id),
        status: () => daemon.registry.get(id).status,
        exists: () => daemon.registry.find(id) !== undefined,
        reached: (state) =>
          new Promise((resolve) => {
            const stop = daemon.registry.onChange((after) => {
              if (after?.status.state !== state) return;
              stop();
              resolve();
            });
          }),
        failLog: (error) => {
          logFailure = error;
        },
        reopen: async () => {
          await kill();
          daemon = await open();
        },
      });
    } finally {
      await daemon.owners.release();
      await kill();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function ensureRecord(path: string, record: InstanceRecord): Promise<void> {
  const db = await openDatabase(path);
  await ensureAccount(db, { id: account, name: "admin" }, 1);
  await (await Registry.open(db)).insert([record]);
  await db.destroy();
}

/** Timers of a daemon that was killed do not fire. */
function clockUntil(clock: ManualClock, isDead: () => boolean) {
  return {
    now: () => clock.now(),
    monotonicUs: () => clock.monotonicUs(),
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    after: (ms: number, task: () => void) =>
      clock.after(ms, () => {
        if (!isDead()) task();
      }),
  };
}
