import { readProcessStat } from "./process-stat.ts";

/**
 * A process id can be reused; with its start time it cannot (proc_pid_stat(5), field 22, clock ticks since boot).
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
}

export function identify(pid: number): ProcessIdentity | undefined {
  const startTicks = readStartTicks(pid);
  return startTicks === undefined ? undefined : { pid, startTicks };
}

/** True while that very process exists and is not a zombie. */
export function isAlive(identity: ProcessIdentity): boolean {
  return readStartTicks(identity.pid) === identity.startTicks;
}

/** Sends a signal to that very process; false if it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function readStartTicks(pid: number): string | undefined {
  const fields = readProcessStat(pid);
  return fields?.[0] === "Z" || fields?.[0] === "X" ? undefined : fields?.[19];
}
