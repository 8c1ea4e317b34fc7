/**
 * The only member of a group that is awake stands in its backend twice: HAProxy waits a second before it tries a backend's only
 * server again, so that nobody would be told before two of them that nothing listens. Its second place, the twin, is for that
 * alone: requests are led to the first. By their numbers of requests HAProxy would give the twin one whenever it has none, and
 * each of the two would need connections of its own.
 */
import { serverName, twinName } from "./names.ts";
import type { EdgeGroup } from "./port.ts";
import type { Slots } from "./slots.ts";

export function loneMember({ members }: EdgeGroup): EdgeGroup["members"][number] | undefined {
  const [first, ...others] = members.filter(({ state }) => state === "awake");
  return others.length === 0 ? first : undefined;
}

/** No server has this name: HAProxy chooses among them, and looks at no further rule. */
const none = "-";

/**
 * Of a backend: to the only place in use, while there is a twin. HAProxy passes over places in maintenance, at a fraction of
 * what a look into a map costs.
 */
export function leadToLone(group: string, slots: Slots): string[] {
  const lone = `srv_is_up(${twinName(group)})`;
  const [first, ...others] = slots.map((_, slot) => `  use-server ${serverName(group, slot)} if`);
  return [
    `${first} { ${lone} }`,
    `  use-server %[str(${none})] if !{ ${lone} }`,
    ...others.map((rule) => `${rule} TRUE`),
  ];
}
