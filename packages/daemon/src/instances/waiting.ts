import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { InstanceRecord } from "./record.ts";
import type { Registry } from "./registry.ts";

export interface WaitOptions {
  /** Infinity waits without limit. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/**
 * Resolves with true once `reached` holds of the record (undefined: it is gone), with false when the time is over.
 * Rejects with the signal's reason.
 */
export function waitUntil(
  registry: Registry,
  id: InstanceId,
  reached: (record: InstanceRecord | undefined) => boolean,
  options: WaitOptions,
): Promise<boolean> {
  if (reached(registry.find(id))) return Promise.resolve(true);
  if (options.waitMs <= 0) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    const settle = () => {
      unlisten();
      cancelTimer();
      options.signal.removeEventListener("abort", onAbort);
    };
    const onAbort = () => {
      settle();
      reject(options.signal.reason);
    };
    const unlisten = registry.onChange((after, before) => {
      if ((after ?? before)?.id !== id || !reached(after)) return;
      settle();
      resolve(true);
    });
    const cancelTimer = Number.isFinite(options.waitMs)
      ? options.clock.after(options.waitMs, () => {
          settle();
          resolve(false);
        })
      : () => {};
    if (options.signal.aborted) return onAbort();
    options.signal.addEventListener("abort", onAbort, { once: true });
  });
}
