/** What a daemon could leave behind on a host, as text that compares. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const daemons = /^(qemu-system-|haproxy|virtiofsd|waker$|uni-)/;

/** Devices, addresses, routes, rules, neighbours, nftables without counters, mounts, and processes of ours. */
export function hostState(): string {
  const show = (command: string, ...args: readonly string[]) =>
    execFileSync(command, args, { encoding: "utf8" });
  return [
    "# devices",
    withoutCarrier(show("ip", "-brief", "link")),
    "# addresses",
    withoutCarrier(show("ip", "-brief", "-4", "address")),
    "# routes",
    show("ip", "-4", "route", "show", "table", "all"),
    "# policy rules",
    show("ip", "rule"),
    "# neighbours",
    show("ip", "neighbour", "show", "nud", "permanent"),
    "# nftables",
    show("nft", "-s", "list", "ruleset"),
    "# mounts",
    readFileSync("/proc/self/mounts", "utf8").replaceAll(/^(?=.)/gm, "mount "),
    "# processes",
    processes().join("\n"),
  ].join("\n");
}

/** The kernel follows a TAP's carrier up to a second later (net/core/link_watch.c). */
const withoutCarrier = (listing: string): string =>
  listing.replaceAll(/^(\S+) +(UP|DOWN|UNKNOWN) +/gm, "$1 ").replaceAll("NO-CARRIER,", "");

/** Fails with the lines that came and went. A mount may go: when others remove its directory, the kernel ends it here. */
export function assertNoLeaks(before: string, after: string): void {
  const lines = { before: before.split("\n"), after: after.split("\n") };
  const left = lines.after.filter((line) => !lines.before.includes(line));
  const lost = lines.before.filter((line) => !lines.after.includes(line) && !line.startsWith("mount "));
  assert.deepEqual({ left, lost }, { left: [], lost: [] });
}

function processes(): string[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const program = words[0]?.split("/").at(-1) ?? "";
        return daemons.test(program) ? [`${pid} ${words.join(" ").trim()}`] : [];
      } catch {
        return []; // It has just ended.
      }
    })
    .sort();
}
