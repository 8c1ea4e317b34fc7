import { UniError } from "@uni/contract/errors";
import type { Clock } from "./clock.ts";

/** Runs `task` with a signal that aborts when `ms` are over, or when `signal` does. */
export async function withDeadline<T>(
  options: {
    readonly clock: Clock;
    readonly ms: number;
    readonly attempted: string;
    readonly signal?: AbortSignal;
  },
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, ms, attempted, signal } = options;
  const deadline = new AbortController();
  const cancel = clock.after(ms, () =>
    deadline.abort(new UniError("timed_out", `${attempted}: not done within ${ms} ms`)),
  );
  try {
    return await task(signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]));
  } finally {
    cancel();
  }
}
