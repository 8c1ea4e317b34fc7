/** What is written when a run has ended, and whether another one follows by itself: not if a stop was asked for. Pure. */
import { unentered } from "./begin-of-run.ts";
import type { InstanceRecord, InstanceStatus } from "./record.ts";
import { nextRestart } from "./restart-policy.ts";
import { type StopCause, stopOutcome, stoppedStatus } from "./stop-outcome.ts";

export interface RunEnd {
  readonly status: Partial<InstanceStatus>;
  /** Undefined: the restart policy wants no other run. */
  readonly restartDelayMs: number | undefined;
}

export function endOfRun({ status, spec }: InstanceRecord, cause: StopCause, now: number): RunEnd {
  const outcome = stopOutcome(cause, spec.memoryMb);
  const asleep = status.sleep !== null && status.sleep.tier !== "off";
  const ranMs = status.startedAt === null || asleep ? 0 : Math.max(0, now - status.startedAt);
  const attempts = status.restart?.attempt ?? 0;
  const { restartPolicy: policy, restartLimit: limit } = spec;
  const mayRestart = status.intent === "run" || status.intent === "sleep";
  const next = mayRestart ? nextRestart({ policy, limit, outcome, ranMs, attempts }) : undefined;
  return {
    status: {
      ...stoppedStatus(outcome),
      intent: status.intent === "delete" ? "delete" : next === undefined ? "stop" : "run",
      stoppedAt: now,
      origin: unentered(status.origin),
      roms: [],
      uptimeMs: status.uptimeMs + ranMs,
      restart: next === undefined ? null : { attempt: next.attempt, nextAt: now + next.delayMs },
    },
    restartDelayMs: next?.delayMs,
  };
}

/** What the log says of an end; undefined where the program's own last words and its status say it all. */
export function lastWord(cause: StopCause, memoryMb: number): string | undefined {
  const { crashed, exitReason } = stopOutcome(cause, memoryMb);
  const isPlainExit = cause.kind === "exited" && !cause.oomKilled;
  return crashed && !isPlainExit ? exitReason : undefined;
}
