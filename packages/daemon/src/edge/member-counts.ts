/**
 * How much a group's members may take, in maps that are changed at run time; the requests in flight of a group as a whole
 * are counted in a stick table, whatever port and protocol they came by. HAProxy's own count of servers (nbsrv) is no use
 * for this: it is put to zero and counted anew at each change, and other threads see the zero.
 */
import { targetsOf } from "./names.ts";
import type { EdgeGroup } from "./port.ts";

/** room: for all members together. spare: before a sleeper is used. calm: below that, neither of them matters. */
const counts = ["calm", "spare", "room"] as const;
type Count = (typeof counts)[number];

export const countFile = (count: Count): string => `${count}.map`;
export const countFiles: readonly string[] = counts.map(countFile);

const countsOf = ({ members, softLimit, hardLimit }: EdgeGroup): Readonly<Record<Count, number>> => {
  const awake = members.filter(({ state }) => state === "awake").length;
  const others = members.filter(({ state }) => state === "asleep" || state === "starting").length;
  const room = (awake + others) * hardLimit;
  const spare = others > 0 ? awake * softLimit : room;
  return { calm: Math.min(spare, room), spare, room };
};

/** By target, which is what a request knows of its group. */
const entries = (groups: readonly EdgeGroup[], count: Count): string[] =>
  groups.flatMap((group) => targetsOf(group).map((target) => `${target} ${countsOf(group)[count]}`));

export const countMaps = (groups: readonly EdgeGroup[]): [string, string][] =>
  counts.map((count) => [
    countFile(count),
    entries(groups, count)
      .map((line) => `${line}\n`)
      .join(""),
  ]);

export const countCommands = (groups: readonly EdgeGroup[]): string[] =>
  counts.flatMap((count) => entries(groups, count).map((entry) => `set map ${countFile(count)} ${entry}`));

export const groupsTable: readonly string[] = [
  "backend groups",
  "  stick-table type string len 64 size 100k store conn_cur,gpt0",
];

/** A number of the group that stands beside its count, so that it costs a request next to nothing; 0 until it is set. */
export const groupMark = "sc0_get_gpt0";
export const clearGroupMark = "sc-set-gpt0(0) 0";
export const groupMarkCommand = (group: string, mark: number): string =>
  `set table groups key ${group} data.gpt0 ${mark}`;

/** What is left of it for this request; below zero: nothing. */
const left = (count: Count): string => `var(txn.target),map_str_int(${countFile(count)}),sub(txn.count)`;

/** Counts this one among its group's. */
export const countInFlight = (act: "http-request" | "tcp-request content"): string[] => [
  `  ${act} track-sc0 var(txn.target),field(2,.) table groups`,
  `  ${act} set-var(txn.count) sc0_conn_cur`,
];

/** It does not matter that the group has limits; only when it does the others are looked up. */
export const isCalm = `{ ${left("calm")} ge 0 }`;
/** All members have as much as they may have. */
export const isFull = `{ ${left("room")} lt 0 }`;
/** Those that are awake have so much that one that sleeps is to be used. */
export const isSaturated = `{ ${left("spare")} lt 0 }`;
/** No member can be reached. */
export const isEmpty = `{ var(txn.target),map_str_int(${countFile("room")}) eq 0 }`;

/** None sleeps or starts: no soft limit is above the hard one. `findRoom` comes first. */
export const noSleepers = `{ var(txn.target),map_str_int(${countFile("spare")}),sub(txn.room) eq 0 }`;
export const findRoom = `  http-request set-var(txn.room) var(txn.target),map_str_int(${countFile("room")})`;

/** HAProxy's words for one of two, by whether any member is awake. */
export const byAwake = (some: string, none: string): string =>
  `var(txn.target),map_str_int(${countFile("spare")}),iif(${some},${none})`;
