/** What the beginning and the end of a run change in a record. */
import { type InstanceRecord, type InstanceStatus, neverStarted } from "./record.ts";
import { nextRestart } from "./restart-policy.ts";
import { type StopOutcome, stoppedStatus } from "./stop-outcome.ts";

export function begunStatus(
  { status }: InstanceRecord,
  restart: InstanceStatus["restart"],
  now: number,
): InstanceStatus {
  const { startCount, restartCount, uptimeMs, updates, sleep } = status;
  return {
    ...neverStarted,
    state: "starting",
    intent: "run",
    // Booted to be woken, its packets wait until it listens.
    sleep: sleep?.tier === "off" ? sleep : null,
    startCount: startCount + 1,
    restartCount: restart === null ? restartCount : restartCount + 1,
    uptimeMs,
    restart,
    updates,
    startedAt: now,
  };
}

/** `next`: the restart that follows, if one does. */
export function settledStatus({ status, spec }: InstanceRecord, outcome: StopOutcome, now: number) {
  const asleep = status.sleep !== null && status.sleep.tier !== "off";
  const ranMs = status.startedAt === null || asleep ? 0 : Math.max(0, now - status.startedAt);
  const next =
    status.intent === "run" || status.intent === "sleep"
      ? nextRestart({
          policy: spec.restartPolicy,
          limit: spec.restartLimit,
          outcome,
          ranMs,
          attempts: status.restart?.attempt ?? 0,
        })
      : undefined;
  const patch: Partial<InstanceStatus> = {
    ...stoppedStatus(outcome),
    intent: status.intent === "delete" ? "delete" : next === undefined ? "stop" : "run",
    stoppedAt: now,
    uptimeMs: status.uptimeMs + ranMs,
    restart: next === undefined ? null : { attempt: next.attempt, nextAt: now + next.delayMs },
  };
  return { status: patch, next };
}
