/** Some at once, and then one in each interval. Times are of one clock, in ms. */
export interface AllowanceOptions {
  readonly atOnce: number;
  readonly apartMs: number;
}

export class Allowance {
  readonly #options: AllowanceOptions;
  /** What was spent, each counted with its time apart, reaches to here. */
  #spentToMs = 0;

  constructor(options: AllowanceOptions) {
    this.#options = options;
  }

  /** How long the next one has to wait. */
  waitMs(nowMs: number): number {
    const { atOnce, apartMs } = this.#options;
    return Math.max(0, Math.max(this.#spentToMs, nowMs) - (atOnce - 1) * apartMs - nowMs);
  }

  spend(nowMs: number): void {
    this.#spentToMs = Math.max(this.#spentToMs, nowMs) + this.#options.apartMs;
  }

  /** As if nothing had been spent. */
  isWhole(nowMs: number): boolean {
    return this.#spentToMs <= nowMs;
  }
}
