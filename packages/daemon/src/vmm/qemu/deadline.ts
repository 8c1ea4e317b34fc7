import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";

export interface Deadline {
  readonly signal: AbortSignal;
  /** To be called when the work is done. */
  readonly cancel: () => void;
}

/** Aborts with `timed_out` after `ms`, or with the other signal's reason before. */
export function deadline(clock: Clock, ms: number, attempted: string, other?: AbortSignal): Deadline {
  const controller = new AbortController();
  const expired = new UniError("timed_out", `${attempted}: not done within ${ms / 1000} s`);
  const cancel = clock.after(ms, () => controller.abort(expired));
  return { signal: other ? AbortSignal.any([other, controller.signal]) : controller.signal, cancel };
}

/** Rejects with the signal's reason even if the work does not heed the signal; the work then goes on unwatched. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  return promise;
}
