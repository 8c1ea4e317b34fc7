import { readdirSync, readFileSync } from "node:fs";
import { identify, type ProcessIdentity } from "./process-identity.ts";

/** The processes that were started with exactly this argument. Walks all of /proc: for recovery, not for every call. */
export function findProcesses(argument: string): ProcessIdentity[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || !commandLine(name).includes(argument)) return [];
    return identify(Number(name)) ?? [];
  });
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
