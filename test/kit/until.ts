import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

const longestPauseMs = 50;

/**
 * Asks again and again, often at first, until the answer is neither undefined nor false; fails with `what` after the
 * deadline.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 180_000,
): Promise<T> {
  const begin = performance.now();
  const end = begin + deadlineMs;
  let problem: unknown;
  while (performance.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      if (error instanceof assert.AssertionError) problem = error;
      else throw error;
    }
    await pause(Math.min(longestPauseMs, (performance.now() - begin) / 10));
  }
  throw new Error(`${what}: not within ${deadlineMs / 1000} s`, { cause: problem });
}
