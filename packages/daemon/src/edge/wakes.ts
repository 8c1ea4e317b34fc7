/**
 * `Server-Timing: wake` on responses that a wake held up, and on no others: a map has the moment of each member's last
 * wake, written before the packets that were held are delivered. Whatever began after it was not held. A group's mark is the
 * second of its last wake, and goes when that is long ago.
 */
import { clearGroupMark, groupMark, groupMarkCommand } from "./member-counts.ts";
import { serverName, twinName } from "./names.ts";
import type { EdgePlan } from "./port.ts";
import type { SlotTable } from "./slots.ts";

export const wakesFile = "wakes.map";

export const wakesMap = (plan: EdgePlan, slots: SlotTable): string =>
  plan.groups
    .flatMap(({ id }) => [twinName(id), ...(slots[id] ?? []).map((_, slot) => serverName(id, slot))])
    .map((name) => `${name} 0\n`)
    .join("");

/** `lone`: member that a group's twin stands for. Milliseconds since 1970, as HAProxy counts them too. */
export function wakeCommands(slots: SlotTable, lone: ReadonlySet<string>, id: string, now: number): string[] {
  return Object.entries(slots).flatMap(([group, row]) => {
    const slot = row.indexOf(id);
    if (slot < 0) return [];
    const names = [serverName(group, slot), ...(lone.has(id) ? [twinName(group)] : [])];
    return [
      ...names.map((name) => `set map ${wakesFile} ${name} ${now}`),
      groupMarkCommand(group, Math.floor(now / 1000)),
    ];
  });
}

export const noteBeginning = "  http-request set-var(txn.began) date(0,ms)";

/** The last of a backend's rules. A connection that was there before the wake has no time of connecting. */
export const tellWake: readonly string[] = [
  `  http-response allow if { srv_name,map_str_int(${wakesFile},0),sub(txn.began) lt 0 }`,
  "  http-response set-var-fmt(txn.held) %Tc",
  `  http-response set-var(txn.held) srv_name,map_str_int(${wakesFile}),sub(txn.began) if { var(txn.held) -m int 0 }`,
  '  http-response add-header server-timing "wake;dur=%[var(txn.held)]"',
];

/** Seconds after a wake when nobody is left whom it held up: servers get ten minutes for an answer. */
const forgottenAfter = 660;

/**
 * The same for members that are thought to be awake: some sleep by the time that a request is with them. Nearly all responses
 * are through with the first rule.
 */
export const tellLateWake: readonly string[] = [
  `  http-response allow if { ${groupMark} eq 0 }`,
  `  http-response set-var(txn.mark) ${groupMark}`,
  `  http-response ${clearGroupMark} if { date,sub(txn.mark) gt ${forgottenAfter} }`,
  ...tellWake,
];
