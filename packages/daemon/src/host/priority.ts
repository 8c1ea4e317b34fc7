/**
 * Shares of the host's processors. Each machine monitor has a session of its own, and each session one share, whatever runs
 * in it (sched(7), "The autogroup feature"); where a service manager makes the shares, each thread has its own (setpriority(2)).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { Log } from "../base/log.ts";

/** Three shares for a guest's one. */
const favoured = -5;

/**
 * What a host whose guests are busy must not wait for. The process needs a session of its own: what shares it would be
 * favoured too, and stay so after it. Does without where the kernel refuses.
 */
export function favour(pid: number, log: Log): void {
  try {
    setPriority(pid, favoured);
    if (leadsSession(pid)) writeFileSync(`/proc/${pid}/autogroup`, String(favoured));
  } catch (error) {
    log.debug({ err: error, pid }, "a process shares processors with the guests as one of them");
  }
}

/** Of what was started by one that is favoured. */
export function favourNoMore(pid: number): void {
  try {
    setPriority(pid, 0);
  } catch (error) {
    // It has ended.
    if ((error as NodeJS.ErrnoException & { info?: { code: string } }).info?.code !== "ESRCH") throw error;
  }
}

/** proc_pid_stat(5), field 6. */
function leadsSession(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]) === pid;
}
