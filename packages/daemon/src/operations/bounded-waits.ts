/**
 * Captures that go on when whoever asked for them has waited for long enough. They are in memory alone: one that the daemon
 * does not live to finish has made nothing, and leaves its instance as it was.
 */
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { InstanceRecord } from "../instances/record.ts";

export interface BoundedWait<Shown> {
  readonly of: Pick<InstanceRecord, "id" | "name">;
  /** Infinity: until it is done. */
  readonly waitMs: number;
  /** Ends the wait, and the capture with it: whoever leaves without an answer has asked for nothing. */
  readonly signal: AbortSignal;
  /** What there is to see of it while it goes on. */
  readonly shown: Shown;
}

export class BoundedWaits<Shown> {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #underWay = new Set<BoundedWait<Shown>>();
  readonly #goingOn = new Map<
    BoundedWait<Shown>,
    { readonly end: AbortController; readonly over: Promise<void> }
  >();

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** All, waited for or not. */
  underWay(): Shown[] {
    return [...this.#underWay].map(({ shown }) => shown);
  }

  /** Those that nobody waits for any more. */
  goingOn(): Shown[] {
    return [...this.#goingOn.keys()].map(({ shown }) => shown);
  }

  /** Undefined: the wait is over and it goes on. While it does the instance is captured for nobody else. */
  async run<T>(wait: BoundedWait<Shown>, take: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { of, waitMs, signal } = wait;
    if ([...this.#goingOn.keys()].some((other) => other.of.id === of.id)) {
      throw new UniError("wrong_state", `capture instance '${of.name}': another capture of it goes on`, {
        hint: "Try again when that one is done.",
      });
    }
    signal.throwIfAborted();
    const end = new AbortController();
    this.#underWay.add(wait);
    const taken = take(end.signal).finally(() => this.#underWay.delete(wait));
    const leave = () => end.abort(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    const late = Promise.withResolvers<undefined>();
    const letGo = () => {
      this.#goingOn.set(wait, { end, over: this.#follow(wait, taken) });
      late.resolve(undefined);
    };
    const cancel = Number.isFinite(waitMs) ? this.#clock.after(waitMs, letGo) : () => {};
    try {
      return await Promise.race([taken, late.promise]);
    } finally {
      cancel();
      signal.removeEventListener("abort", leave);
    }
  }

  /** Ends one that nobody waits for, as one that fails; it may be done by then. Resolves when it is over. */
  async end(shown: Shown, reason: UniError): Promise<void> {
    const found = [...this.#goingOn].find(([wait]) => wait.shown === shown)?.[1];
    found?.end.abort(reason);
    await found?.over;
  }

  /** Those that nobody waits for end as failed ones do: their instances go on. */
  async close(): Promise<void> {
    const working = [...this.#goingOn.values()];
    for (const { end } of working) end.abort(new UniError("unreachable", "the daemon ends"));
    await Promise.all(working.map(({ over }) => over));
  }

  async #follow(wait: BoundedWait<Shown>, taken: Promise<unknown>): Promise<void> {
    try {
      await taken;
    } catch (error) {
      this.#log.warn({ err: error, instance: wait.of.id }, "a capture has failed");
    } finally {
      this.#goingOn.delete(wait);
    }
  }
}
