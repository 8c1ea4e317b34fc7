/**
 * How much a group's members may take, in maps that are changed at run time; the requests in flight of a group as a whole
 * are counted in a stick table, whatever port and protocol they came by. HAProxy's own count of servers (nbsrv) is no use
 * for this: it is put to zero and counted anew at each change, and other threads see the zero.
 */
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

export const countMaps = (groups: readonly EdgeGroup[]): [string, string][] =>
  counts.map((count) => [
    countFile(count),
    groups.map((group) => `${group.id} ${countsOf(group)[count]}\n`).join(""),
  ]);

export const countCommands = (groups: readonly EdgeGroup[]): string[] =>
  counts.flatMap((count) =>
    groups.map((group) => `set map ${countFile(count)} ${group.id} ${countsOf(group)[count]}`),
  );

export const groupsTable: readonly string[] = [
  "backend groups",
  "  stick-table type string len 64 size 100k store conn_cur",
];

/**
 * Counts this one among its group's, `txn.group`. Afterwards `txn.over` is above zero when it matters that the group has
 * limits; only then the others are looked up.
 */
export function countInFlight(act: "http-request" | "tcp-request content"): string[] {
  const look = (count: Count) => `var(txn.group),map_str_int(${countFile(count)})`;
  const beyond = (count: Count) =>
    `  ${act} set-var(txn.beyond_${count}) sc0_conn_cur,sub(txn.${count}) if ${isOver}`;
  return [
    `  ${act} set-var(txn.group) var(txn.target),field(2,.)`,
    `  ${act} track-sc0 var(txn.group) table groups`,
    `  ${act} set-var(txn.calm) ${look("calm")}`,
    `  ${act} set-var(txn.over) sc0_conn_cur,sub(txn.calm)`,
    `  ${act} set-var(txn.spare) ${look("spare")} if ${isOver}`,
    `  ${act} set-var(txn.room) ${look("room")} if ${isOver}`,
    beyond("spare"),
    beyond("room"),
  ];
}

const isOver = "{ var(txn.over) -m int gt 0 }";
/** All members have as much as they may have. */
export const isFull = `${isOver} { var(txn.beyond_room) -m int gt 0 }`;
/** Those that are awake have so much that one that sleeps is to be used. */
export const isSaturated = `${isOver} { var(txn.beyond_spare) -m int gt 0 }`;
