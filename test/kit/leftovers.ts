/**
 * What is there besides what a fresh set of namespaces holds: processes, devices, routes, rules, mounts. Only in
 * namespaces of one's own does that say who left it.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** Processes but for process 1, ourselves and those that are ending: a zombie has no command line. */
function processes(): string[] {
  const own = new Set([1, process.pid]);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && !own.has(Number(entry)))
    .map((pid) => ({ pid, line: commandLine(pid) }))
    .filter(({ line }) => line !== "")
    .map(({ pid, line }) => `process ${pid} ${line}`);
}

function linesOf(label: string, command: string, args: readonly string[]): string[] {
  return execFileSync(command, args, { encoding: "utf8" })
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `${label} ${line}`);
}

export function leftovers(): string[] {
  return [
    ...processes(),
    ...linesOf("device", "ip", ["-brief", "link"]).filter((line) => !line.startsWith("device lo ")),
    ...linesOf("route", "ip", ["route"]),
    ...linesOf("nft", "nft", ["list", "tables"]),
    ...linesOf("neighbour", "ip", ["neigh"]),
    ...linesOf("policy rule", "ip", ["rule"]).filter((line) => !/lookup (local|main|default)/.test(line)),
  ];
}
