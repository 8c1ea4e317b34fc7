/** Tries again what may go well the next time: with growing pauses of random length, or the one that the registry asks for. */
import type { Clock } from "../../base/clock.ts";
import type { Answer } from "./exchange.ts";
import { isPassing } from "./failures.ts";

export interface RetryContext {
  readonly clock: Clock;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Told before each pause. */
  readonly onRetry: (reason: string, pauseMs: number) => void;
}

const mostTries = 5;
const firstPauseMs = 500;
const longestPauseMs = 10_000;
/** A registry that asks for more is not waited for: whoever asked is told. */
export const longestWishMs = 30_000;

const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

export async function withRetries(
  { clock, random, signal, onRetry }: RetryContext,
  send: () => Promise<Answer>,
  tries = mostTries,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const pause = firstPauseMs * 2 ** (attempt - 1) * (0.5 + random() / 2);
    let pauseMs = Math.min(longestPauseMs, pause);
    try {
      const answer = await send();
      const wishMs = retryAfterMs(answer, clock);
      const isFinal = !passingStatuses.has(answer.status) || attempt >= tries;
      if (isFinal || (wishMs ?? 0) > longestWishMs) return answer;
      answer.discard();
      pauseMs = Math.max(wishMs ?? 0, pauseMs);
      onRetry(`it answered ${answer.status}`, pauseMs);
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error) || attempt >= tries) throw error;
      onRetry((error as Error).message, pauseMs);
    }
    await clock.sleep(pauseMs, signal);
  }
}

/** Seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs({ headers }: Answer, clock: Clock): number | undefined {
  const text = headers["retry-after"];
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.now());
}
