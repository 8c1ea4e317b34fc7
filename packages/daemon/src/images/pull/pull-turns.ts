/** Bounds what goes on at once. Whoever came first is first, but nobody waits for what goes on with somebody else's registry. */
interface Waiting {
  readonly of: string;
  readonly begin: () => void;
}

export interface TurnLimits {
  readonly most: number;
  /** With one registry: one that is slow leaves room for the others. */
  readonly mostOfOne: number;
}

export class PullTurns {
  readonly #limits: TurnLimits;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #count = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Runs `task` when its turn has come; `onWait` is told if that is not at once. Who gives up leaves the queue. */
  async run<T>(
    registry: string,
    { signal, onWait }: { readonly signal: AbortSignal; readonly onWait: () => void },
    task: () => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    if (this.#isFree(registry)) this.#begin(registry);
    else {
      onWait();
      await this.#wait(registry, signal);
    }
    try {
      return await task();
    } finally {
      this.#end(registry);
    }
  }

  async #wait(registry: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { of: registry, begin: resolve };
    const leave = (): void => {
      // Who has its turn has left already.
      if (this.#waiting.delete(waiting)) reject(signal.reason);
    };
    this.#waiting.add(waiting);
    signal.addEventListener("abort", leave, { once: true });
    await promise.finally(() => signal.removeEventListener("abort", leave));
  }

  #isFree(registry: string): boolean {
    return this.#count < this.#limits.most && (this.#running.get(registry) ?? 0) < this.#limits.mostOfOne;
  }

  #begin(registry: string): void {
    this.#count += 1;
    this.#running.set(registry, (this.#running.get(registry) ?? 0) + 1);
  }

  #end(registry: string): void {
    this.#count -= 1;
    const left = (this.#running.get(registry) ?? 1) - 1;
    if (left === 0) this.#running.delete(registry);
    else this.#running.set(registry, left);
    for (const waiting of this.#waiting) {
      if (!this.#isFree(waiting.of)) continue;
      this.#waiting.delete(waiting);
      this.#begin(waiting.of);
      waiting.begin();
    }
  }
}
