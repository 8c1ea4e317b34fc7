/** What members have to do, read from HAProxy's own counters of its servers. */
import type { Clock } from "../base/clock.ts";
import { serverName, twinName } from "./names.ts";
import type { EdgeLoad } from "./port.ts";
import { askHaproxy } from "./runtime-socket.ts";
import type { SlotTable } from "./slots.ts";

export interface LoadSource {
  readonly socket: string;
  readonly slots: SlotTable;
  /** Members that have a twin. */
  readonly lone: ReadonlySet<string>;
  readonly clock: Clock;
}

/** -1 4 -1: servers (4) of all proxies (management guide of HAProxy, "show stat"). */
const question = "show stat -1 4 -1";
/** Whoever waits for a server that cannot be reached is not always among its own: the group counts all that it has. */
const waitingQuestion = (group: string): string => `show table groups key ${group}`;
const columns = { server: "svname", current: "scur", total: "stot" } as const;

/** One question, whatever the number of groups. A group has several servers for one member: their counts are added. */
export async function readLoads(
  { socket, slots, lone, clock }: LoadSource,
  groups: readonly string[],
): Promise<ReadonlyMap<string, EdgeLoad>> {
  const rows = readServers(await askHaproxy(socket, question, clock));
  const waiting = groups.filter((group) => slots[group]?.includes(group));
  const answers = waiting.map(async (group) => {
    const inFlight = readInFlight(await askHaproxy(socket, waitingQuestion(group), clock));
    return [group, { inFlight, served: 0 }] as const;
  });
  const ofGroups = await Promise.all(answers);
  const loads = new Map<string, EdgeLoad>();
  for (const group of groups) {
    const members = slots[group] ?? [];
    members.forEach((id, slot) => {
      if (id === null || id === group) return;
      const names = lone.has(id) ? [serverName(group, slot), twinName(group)] : [serverName(group, slot)];
      const own = names.flatMap((name) => rows.get(name) ?? []);
      loads.set(id, {
        inFlight: own.reduce((sum, { inFlight }) => sum + inFlight, 0),
        served: own.reduce((sum, { served }) => sum + served, 0),
      });
    });
  }
  return new Map([...loads, ...ofGroups]);
}

const readInFlight = (table: string): number => Number(/\bconn_cur=(\d+)/.exec(table)?.[1] ?? 0);

/** By name of the server, which several backends of a group share. */
export function readServers(csv: string): Map<string, EdgeLoad[]> {
  const [head = "", ...lines] = csv.split("\n");
  const names = head.replace(/^# /, "").split(",");
  const [server, current, total] = [columns.server, columns.current, columns.total].map((name) =>
    names.indexOf(name),
  ) as [number, number, number];
  const rows = new Map<string, EdgeLoad[]>();
  for (const line of lines) {
    const fields = line.split(",");
    const name = fields[server];
    if (name === undefined || name === "") continue;
    const load = { inFlight: Number(fields[current]), served: Number(fields[total]) };
    if (!Number.isFinite(load.inFlight) || !Number.isFinite(load.served)) continue;
    rows.set(name, [...(rows.get(name) ?? []), load]);
  }
  return rows;
}
