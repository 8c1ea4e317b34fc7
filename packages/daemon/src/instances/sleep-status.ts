/** What falling asleep and waking change in a record. */
import type { SleepTier } from "@uni/contract/enums";
import type { InstanceRecord, InstanceStatus } from "./record.ts";
import { romsInUse } from "./roms.ts";

/** Scale to zero, by the platform; program and kernel have ended as far as anybody can tell. */
const sleepReason = 39;

export function asleepStatus(
  { status }: InstanceRecord,
  tier: SleepTier,
  now: number,
): Partial<InstanceStatus> {
  const ranMs = status.startedAt === null ? 0 : Math.max(0, now - status.startedAt);
  return {
    state: "standby",
    sleep: { tier, since: now },
    stopReason: sleepReason,
    stoppedAt: now,
    uptimeMs: status.uptimeMs + ranMs,
  };
}

export function awakeStatus({ status, spec }: InstanceRecord, now: number): Partial<InstanceStatus> {
  const { state, intent } = status;
  return {
    // Woken to be stopped, it stays on its way there.
    state: state === "stopping" ? state : "running",
    intent: intent === "sleep" ? "run" : intent,
    sleep: null,
    roms: romsInUse(status.roms, spec.roms),
    stopReason: null,
    startCount: status.startCount + 1,
    startedAt: now,
  };
}
