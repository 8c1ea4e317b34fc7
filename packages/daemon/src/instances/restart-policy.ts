import type { InstanceRestartPolicy } from "@uni/contract/enums";
import type { StopOutcome } from "./stop-outcome.ts";

/** A run this long ends a restart sequence. */
const healthyRunMs = 10_000;
const firstDelayMs = 5_000;
const longestDelayMs = 300_000;

export interface RestartInput {
  readonly policy: InstanceRestartPolicy;
  readonly limit: number | null;
  readonly outcome: Pick<StopOutcome, "crashed" | "fromInside">;
  readonly ranMs: number;
  /** Restarts of the sequence so far. */
  readonly attempts: number;
}

/** The next restart of the sequence, or undefined when the instance stays stopped. Delays: 0, 5, 10, 20, 40 s … 5 min. */
export function nextRestart(
  input: RestartInput,
): { readonly attempt: number; readonly delayMs: number } | undefined {
  const wanted =
    (input.policy === "always" && input.outcome.fromInside) ||
    (input.policy === "on-failure" && input.outcome.crashed);
  if (!wanted) return undefined;
  const attempts = input.ranMs >= healthyRunMs ? 0 : input.attempts;
  if (input.limit !== null && attempts >= input.limit) return undefined;
  return { attempt: attempts + 1, delayMs: delayBefore(attempts) };
}

function delayBefore(attempts: number): number {
  if (attempts === 0) return 0;
  return Math.min(firstDelayMs * 2 ** (attempts - 1), longestDelayMs);
}
