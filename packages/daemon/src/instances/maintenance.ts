/** The guest of a stopped instance, up for a while with no program started: for its files. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { TaskQueue } from "../base/task-queue.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "./lifecycle.ts";
import type { InstanceRecord } from "./record.ts";
import type { Registry } from "./registry.ts";
import { powerOff } from "./run-end.ts";

export interface MaintenanceDependencies {
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly log: Log;
}

/** A machine that could not be ended is tried again after this. */
const endAgainMs = 5_000;

export class Maintenance {
  readonly #deps: MaintenanceDependencies;
  readonly #tasks: TaskQueue;
  #current: AbortController | undefined;

  constructor(deps: MaintenanceDependencies, tasks: TaskQueue) {
    this.#deps = deps;
    this.#tasks = tasks;
  }

  /** As one of the owner's tasks. */
  async run<T>(record: InstanceRecord, body: (live: LiveInstance) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#current = controller;
    const hooks: StartHooks = { onEvent: async () => {}, onProgress: async () => {}, synced: async () => {} };
    try {
      const live = await this.#deps.lifecycle.start(record, "maintenance", hooks, controller.signal);
      try {
        return await unlessAborted(controller.signal, body(live));
      } finally {
        await powerOff(live, { ...this.#deps, signal: controller.signal });
        await this.#end(record, live);
      }
    } finally {
      this.#current = undefined;
    }
  }

  /** The guest goes; what is still done with it fails on the broken channel. */
  cutShort(reason: Error): void {
    this.#current?.abort(reason);
  }

  async #end(record: InstanceRecord, live: LiveInstance | undefined): Promise<void> {
    const { lifecycle, registry, clock, log } = this.#deps;
    try {
      await lifecycle.end(record, live);
    } catch (error) {
      const again = async () => {
        if (registry.find(record.id)?.status.state === "stopped") await this.#end(record, undefined);
      };
      clock.after(endAgainMs, () => {
        this.#tasks.run(again).catch((err) => log.error({ err }, "ending a guest again failed"));
      });
      throw error;
    }
  }
}

function unlessAborted<T>(signal: AbortSignal, task: Promise<T>): Promise<T> {
  const cut = Promise.withResolvers<never>();
  const onAbort = () => cut.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([task, cut.promise]).finally(() => signal.removeEventListener("abort", onAbort));
}
