import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";

/**
 * Nudges followers of an instance's output: there is more, or the run is over. They read the log store themselves, so a
 * slow one holds nobody up and misses nothing that is still held.
 */
export class OutputFeed {
  readonly #clock: Clock;
  readonly #followers = new Map<InstanceId, Set<() => void>>();
  readonly #waiters = new Map<InstanceId, () => void>();
  /** Somebody has read the output of the run that is on, or was last. */
  readonly #read = new Set<InstanceId>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nudge(id: InstanceId): void {
    for (const follower of this.#followers.get(id) ?? []) follower();
  }

  /** Calls `onNudge` until the returned function is called. */
  follow(id: InstanceId, onNudge: () => void): () => void {
    const followers = this.#followers.get(id) ?? new Set();
    this.#followers.set(id, followers);
    followers.add(onNudge);
    this.#read.add(id);
    return () => {
      followers.delete(onNudge);
      if (followers.size > 0) return;
      this.#followers.delete(id);
      this.#waiters.get(id)?.();
    };
  }

  /**
   * For a deletion that follows a stop: resolves once nobody reads the output any more. Somebody who has only just asked
   * for the run gets `graceMs` to come.
   */
  async whenUnfollowed(id: InstanceId, graceMs: number, longestMs: number): Promise<void> {
    if (!this.#read.delete(id)) await this.#clock.sleep(graceMs);
    if (!this.#followers.has(id)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.set(id, resolve);
    const cancel = this.#clock.after(longestMs, resolve);
    await promise;
    cancel();
    this.#waiters.delete(id);
  }
}
