/** What an owner has to do: tasks one after the other, and at most one that is due later. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { TaskQueue } from "../base/task-queue.ts";

export type Task = (signal: AbortSignal) => Promise<void>;

export class Agenda {
  readonly tasks = new TaskQueue();
  readonly #clock: Clock;
  readonly #log: Log;
  #cancelTimer: () => void = () => {};

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** The task has its place at once, in the order of the requests, and begins when what it is about to do is written down. */
  enqueueAfter(written: Promise<unknown> | undefined, body: Task): Promise<void> {
    written?.catch(() => {}); // The task meets it, perhaps later than it happens.
    return this.tasks.run(async (signal) => {
      await written;
      await body(signal);
    });
  }

  /** For tasks that nobody waits for. */
  enqueueQuietly(what: string, body: Task): void {
    this.tasks.run(body).catch((error) => this.#log.error({ err: error }, `${what} failed`));
  }

  /** In place of what was due later before. */
  later(ms: number, what: string, body: Task): void {
    this.cancelLater();
    this.#cancelTimer = this.#clock.after(ms, () => this.enqueueQuietly(what, body));
  }

  /** By a request that changes the plan. */
  cancelLater(): void {
    this.#cancelTimer();
  }
}
