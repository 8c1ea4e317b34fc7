import { readdirSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";
import { readProcessStat } from "./process-stat.ts";

const pollMs = 3;

/**
 * True once the process and all its threads are gone, so that its files, locks and devices are free. A process whose
 * first thread has ended looks like a zombie while other threads still hold its descriptors.
 */
export function hasEnded(identity: ProcessIdentity): boolean {
  if (isAlive(identity)) return false;
  if (readProcessStat(identity.pid)?.[19] !== identity.startTicks) return true;
  try {
    return readdirSync(`/proc/${identity.pid}/task`).length <= 1;
  } catch {
    return true;
  }
}

/** False if it has not ended within `deadlineMs`. */
export async function waitUntilEnded(
  identity: ProcessIdentity,
  clock: Clock,
  deadlineMs: number,
): Promise<boolean> {
  const end = clock.monotonicUs() + deadlineMs * 1000;
  while (!hasEnded(identity)) {
    if (clock.monotonicUs() > end) return false;
    await clock.sleep(pollMs);
  }
  return true;
}
