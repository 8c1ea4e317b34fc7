import { readdirSync, readFileSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";

const pollMs = 3;

/**
 * True once the process and all its threads are gone, so that its files, locks and devices are free. A process whose
 * first thread has ended looks like a zombie while other threads still hold its descriptors.
 */
export function hasEnded(identity: ProcessIdentity): boolean {
  if (isAlive(identity)) return false;
  try {
    const stat = readFileSync(`/proc/${identity.pid}/stat`, "utf8");
    const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    if (startTicks !== identity.startTicks) return true;
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
