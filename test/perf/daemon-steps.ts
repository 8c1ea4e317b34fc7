/** How long the daemon took for the steps of sleep, wake, captures and clones, by what it logs at level debug. */
import { readFileSync, statSync } from "node:fs";
import type { TestDaemon } from "../kit/daemon.ts";

/** Milliseconds by the name of the step. */
export type Steps = Readonly<Record<string, number>>;

/** A place in the daemon's log. */
export const logMark = (daemon: TestDaemon): number => statSync(daemon.logPath).size;

/**
 * All steps that were logged after the mark, which must be one instance's. `seen`: when the daemon heard of the packet that
 * was sent at `sentAt`.
 */
export function stepsSince(daemon: TestDaemon, mark: number, sentAt = 0): Steps {
  const steps: Record<string, number> = {};
  const text = readFileSync(daemon.logPath).subarray(mark).toString();
  for (const line of text.split("\n").filter((each) => each.startsWith("{"))) {
    const { msg, time, us = {}, process } = JSON.parse(line);
    if (msg === "a packet wakes an instance") steps["seen"] = Date.parse(time) - sentAt;
    for (const [name, value] of Object.entries(us)) steps[name] = Number(value) / 1000;
    if (process?.startUs === undefined) continue;
    steps["started"] = process.startUs / 1000;
    steps["loaded"] = Number(us.loaded) / 1000 - steps["started"];
  }
  return steps;
}

/** How long machines stood still for the captures that were logged after the mark, in milliseconds. */
export function pausesSince(daemon: TestDaemon, mark: number): readonly number[] {
  const text = readFileSync(daemon.logPath).subarray(mark).toString();
  const lines = text.split("\n").filter((each) => each.startsWith("{"));
  return lines.flatMap((line) => JSON.parse(line).pauseMs ?? []);
}
