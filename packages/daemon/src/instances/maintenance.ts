/** The guest of a stopped instance, up for a while with no program started: for its files. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "./lifecycle.ts";
import type { InstanceRecord } from "./record.ts";
import { powerOff } from "./run-end.ts";

export interface MaintenanceDependencies {
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly log: Log;
}

/** When `signal` aborts, the guest goes; what `body` still does then fails on the broken channel. */
export async function maintain<T>(
  deps: MaintenanceDependencies,
  record: InstanceRecord,
  body: (live: LiveInstance) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const hooks: StartHooks = { onEvent: async () => {}, onProgress: async () => {} };
  const live = await deps.lifecycle.start(record, "maintenance", hooks, signal);
  const cut = Promise.withResolvers<never>();
  const onAbort = () => cut.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([body(live), cut.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await powerOff(live, deps.clock, deps.log);
    await deps.lifecycle.end(record, live);
  }
}
