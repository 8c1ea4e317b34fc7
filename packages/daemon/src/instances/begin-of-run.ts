/** What the beginning of a run changes in a record. */
import { type InstanceRecord, type InstanceStatus, neverStarted, type Origin } from "./record.ts";

export function begunStatus(
  { status }: InstanceRecord,
  restart: InstanceStatus["restart"],
  now: number,
): InstanceStatus {
  const { startCount, restartCount, uptimeMs, updates, sleep, origin } = status;
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
    origin: unentered(origin),
  };
}

/** A run that is over has nothing more to do with the memory that it began with. */
export const unentered = (origin: Origin | null): Origin | null => (origin?.entered === true ? null : origin);
