import { readFileSync } from "node:fs";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";
import { readProcessStat } from "./process-stat.ts";

export interface ProcessUsage {
  readonly rssBytes: number;
  readonly cpuTimeMs: number;
}

/** The kernel's unit for times in /proc is 1/100 s on every architecture Linux supports today (USER_HZ, time(7)). */
const msPerTick = 10;

/** Undefined when the process is gone. */
export function readUsage(identity: ProcessIdentity): ProcessUsage | undefined {
  const fields = isAlive(identity) ? readProcessStat(identity.pid) : undefined;
  if (fields === undefined) return undefined;
  try {
    const status = readFileSync(`/proc/${identity.pid}/status`, "utf8");
    const rssKb = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    if (rssKb === undefined) return undefined;
    return {
      rssBytes: Number(rssKb) * 1024,
      cpuTimeMs: (Number(fields[11]) + Number(fields[12])) * msPerTick,
    };
  } catch {
    return undefined;
  }
}
