/**
 * How much a group's members may take, in a map that is changed at run time. HAProxy's own count of servers (nbsrv) is
 * no use for this: it is put to zero and counted anew at each change, and other threads see the zero.
 */
import type { EdgeGroup } from "./port.ts";

export const countsFile = "counts.map";

/** room: for all members together. spare: for the awake ones, before a sleeper is used. asleep: how many sleep. */
type Count = "room" | "spare" | "asleep";

const key = (group: string, count: Count): string => `${group}-${count}`;

export function memberCounts({ id, members, softLimit, hardLimit }: EdgeGroup): [string, number][] {
  const awake = members.filter(({ state }) => state === "awake").length;
  const asleep = members.filter(({ state }) => state === "asleep").length;
  return [
    [key(id, "room"), (awake + asleep) * hardLimit],
    [key(id, "spare"), awake * softLimit],
    [key(id, "asleep"), asleep],
  ];
}

export const countsMap = (groups: readonly EdgeGroup[]): string =>
  groups
    .flatMap(memberCounts)
    .map(([name, count]) => `${name} ${count}\n`)
    .join("");

export const lookupCount = (group: string, count: Count): string =>
  `str(${key(group, count)}),map_str_int(${countsFile})`;
