/**
 * Shares of the host's processors. Each machine monitor has a session of its own, and each session one share, whatever runs
 * in it (sched(7), "The autogroup feature"); where a service manager makes the shares, each thread has its own (setpriority(2)).
 */
import { writeFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import type { Log } from "../base/log.ts";
import { readProcessStat } from "./process-stat.ts";

/** Three shares for a guest's one. */
const favoured = -5;
/** What this process was started with. */
const ordinary = getPriority();

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

/** Of what was started by one that is favoured: to go back to less needs no rights. */
export function favourNoMore(pid: number): void {
  try {
    setPriority(pid, ordinary);
  } catch {
    // It has ended.
  }
}

/** A session has the id of the process that leads it. */
const leadsSession = (pid: number): boolean => readProcessStat(pid)?.[3] === `${pid}`;
