/**
 * The only member of a group that is awake stands in its backend twice: HAProxy waits a second before it tries a backend's only
 * server again, so that nobody would be told before two of them that nothing listens. Its second place, the twin, is for that
 * alone: requests are led to the first, by a map that is changed at run time. By their numbers of requests HAProxy would give
 * the twin one whenever it has none, and each of the two would need connections of its own.
 */
import { serverName, targetsOf } from "./names.ts";
import type { EdgeGroup, EdgePlan } from "./port.ts";
import type { SlotTable } from "./slots.ts";

export const loneFile = "lone.map";

export function loneMember({ members }: EdgeGroup): EdgeGroup["members"][number] | undefined {
  const [first, ...others] = members.filter(({ state }) => state === "awake");
  return others.length === 0 ? first : undefined;
}

/** No server has this name: HAProxy chooses among them. */
const none = "-";

function entries({ groups }: EdgePlan, slots: SlotTable): string[] {
  return groups.flatMap((group) => {
    const lone = loneMember(group);
    const slot = lone === undefined ? -1 : (slots[group.id] ?? []).indexOf(lone.id);
    const server = slot < 0 ? none : serverName(group.id, slot);
    return targetsOf(group).map((target) => `${target} ${server}`);
  });
}

export const loneMap = (plan: EdgePlan, slots: SlotTable): string =>
  entries(plan, slots)
    .map((line) => `${line}\n`)
    .join("");

export const loneCommands = (plan: EdgePlan, slots: SlotTable): string[] =>
  entries(plan, slots).map((entry) => `set map ${loneFile} ${entry}`);

/** Of a backend. A second try goes by the numbers of requests again, at once. */
export const leadToLone = `  use-server %[var(txn.target),map(${loneFile})] if TRUE`;
