import type { DetachKeys } from "./parse/detach-keys.ts";

/** Finds the keys that detach among what is typed. What may be their beginning is held back until it is clear. */
export class DetachWatch {
  readonly #keys: DetachKeys;
  #held: number[] = [];

  constructor(keys: DetachKeys) {
    this.#keys = keys;
  }

  /** What goes on to the program; nothing after the keys does. */
  take(typed: Uint8Array): { readonly passed: Uint8Array; readonly detached: boolean } {
    const passed: number[] = [];
    for (const byte of typed) {
      this.#held.push(byte);
      while (this.#held.some((held, index) => held !== this.#keys[index]))
        passed.push(this.#held.shift() ?? 0);
      if (this.#held.length === this.#keys.length) return { passed: Uint8Array.from(passed), detached: true };
    }
    return { passed: Uint8Array.from(passed), detached: false };
  }
}
