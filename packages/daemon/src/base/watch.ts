import type { Clock } from "./clock.ts";

export interface WatchOptions {
  readonly clock: Clock;
  readonly look: () => Promise<void>;
  /** Milliseconds until the next look; undefined: not until somebody plans one. */
  readonly nextMs: () => number | undefined;
  readonly onError: (error: unknown) => void;
}

/** Standing work: looks again and again, one look at a time, each when the one before says. */
export class Watch {
  readonly #options: WatchOptions;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** A look that is planned already stays as it is: it reads what is by then. */
  plan(ms = this.#options.nextMs()): void {
    if (ms === undefined || this.#closed || this.#cancel !== undefined) return;
    const { clock, look, onError } = this.#options;
    this.#cancel = clock.after(ms, () => {
      this.#looking = look()
        .catch(onError)
        .then(() => {
          this.#cancel = undefined;
          this.plan();
        });
    });
  }

  /** Resolves when the look under way is over. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#looking;
  }
}
