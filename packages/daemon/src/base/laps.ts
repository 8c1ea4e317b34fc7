import type { Clock } from "./clock.ts";

/** How long each step of some work took, in microseconds under its name: fields for a log line. */
export class Laps {
  readonly us: Record<string, number> = {};
  readonly #clock: Clock;
  #lastUs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastUs = clock.monotonicUs();
  }

  /** Names what was done since the one before. */
  lap(name: string): void {
    const nowUs = this.#clock.monotonicUs();
    this.us[name] = nowUs - this.#lastUs;
    this.#lastUs = nowUs;
  }
}
