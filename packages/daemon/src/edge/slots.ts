/**
 * Members take the places of a fixed row of servers, so that one who comes or goes is a change at run time, not a
 * reload.
 */
import type { EdgeMember, EdgePlan } from "./port.ts";

/** Of one group: id of the member on each place, null when it is free. */
export type Slots = readonly (string | null)[];

/** By group. */
export type SlotTable = Readonly<Record<string, Slots>>;

const fewest = 4;

/** Whoever has a place keeps it. A row that is too short grows, which needs a reload. */
export function assignSlots(plan: EdgePlan, before: SlotTable): SlotTable {
  return Object.fromEntries(plan.groups.map(({ id, members }) => [id, assign(members, before[id] ?? [])]));
}

function assign(members: readonly EdgeMember[], before: Slots): Slots {
  const ids = new Set(members.map(({ id }) => id));
  const kept = before.map((id) => (id !== null && ids.has(id) ? id : null));
  const slots = [...kept, ...Array<null>(Math.max(0, rowLength(members.length) - kept.length)).fill(null)];
  for (const { id } of members) {
    if (slots.includes(id)) continue;
    slots[freePlace(slots, before)] = id;
  }
  return slots;
}

/** A place that was free before as well, if there is one: the connections of who had it may still be ending. */
function freePlace(slots: Slots, before: Slots): number {
  const unused = slots.findIndex((id, index) => id === null && (before[index] ?? null) === null);
  return unused >= 0 ? unused : slots.indexOf(null);
}

function rowLength(members: number): number {
  let length = fewest;
  while (length < members) length *= 2;
  return length;
}
