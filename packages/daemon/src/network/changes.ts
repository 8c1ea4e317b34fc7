/**
 * Orders all changes of the host's network. What is asked for while another change runs is done in one go afterwards:
 * twenty attachments at once cost two or three transactions.
 */
import { KeyedQueue } from "../base/keyed-queue.ts";
import type { Attachment } from "./port.ts";

export interface Change {
  /** "device": what "attach" then finds. "move": between awake and the ways to sleep. "publish": other ports, all else stays. */
  readonly kind: "device" | "attach" | "detach" | "move" | "publish";
  readonly attachment: Attachment;
}

interface Pending {
  readonly change: Change;
  readonly done: PromiseWithResolvers<void>;
}

/** Does all of them; an answer per change, in their order: undefined, or why it failed. */
export type ApplyChanges = (changes: readonly Change[]) => Promise<readonly unknown[]>;

export class Changes {
  readonly #queue = new KeyedQueue<"host">();
  readonly #apply: ApplyChanges;
  /** The batch that has not begun and may still grow. */
  #open: Pending[] | undefined;

  constructor(apply: ApplyChanges) {
    this.#apply = apply;
  }

  submit(change: Change): Promise<void> {
    const pending = { change, done: Promise.withResolvers<void>() };
    // Two changes of one guest in one batch would be in each other's way.
    const clashes = this.#open?.some(({ change: other }) => other.attachment.tap === change.attachment.tap);
    if (this.#open === undefined || clashes === true) this.#begin([pending]);
    else this.#open.push(pending);
    return pending.done.promise;
  }

  /** Runs alone, after everything asked for before and before everything after. */
  alone<T>(task: () => Promise<T>): Promise<T> {
    this.#open = undefined;
    return this.#queue.run("host", task);
  }

  #begin(batch: Pending[]): void {
    this.#open = batch;
    void this.#queue.run("host", async () => {
      if (this.#open === batch) this.#open = undefined;
      const failures = await this.#apply(batch.map(({ change }) => change)).catch((error: unknown) =>
        batch.map(() => error),
      );
      for (const [index, { done }] of batch.entries()) {
        const failure = failures[index];
        if (failure === undefined) done.resolve();
        else done.reject(failure);
      }
    });
  }
}
