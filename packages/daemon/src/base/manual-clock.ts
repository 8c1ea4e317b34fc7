import type { Clock } from "./clock.ts";

/** A clock for tests: time stands still until `advance`. */
export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  #timers: { at: number; task: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  monotonicUs(): number {
    return this.#nowMs * 1000;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.after(ms, resolve);
      signal?.addEventListener("abort", () => {
        cancel();
        reject(signal.reason);
      });
    });
  }

  after(ms: number, task: () => void): () => void {
    const timer = { at: this.#nowMs + ms, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  /** Moves time on, running what falls due in order; lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.at);
      due.task();
      await settled();
    }
    this.#nowMs = end;
    await settled();
  }
}

/** Resolves after all promises that can settle now, and what they start, have had their turn. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}
