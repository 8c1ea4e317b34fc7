/** Removes service groups that have been empty for as long as they may be. */
import type { ServiceGroupId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { GroupRecord } from "./record.ts";
import type { ServiceGroups } from "./service-groups.ts";

/** When a group goes; undefined: not by itself. */
export const autokillAt = ({ spec, emptySince }: GroupRecord): number | undefined =>
  spec.autokillMs === 0 || emptySince === null ? undefined : emptySince + spec.autokillMs;

/** One timer for the group that is due first. Ends with the returned function. */
export function watchEmptyGroups(groups: ServiceGroups, clock: Clock, log: Log): () => void {
  let cancel = () => {};
  const arm = () => {
    cancel();
    const due = groups.catalogue.all().flatMap((group) => {
      const at = autokillAt(group);
      return at === undefined ? [] : [{ id: group.id, at }];
    });
    const [first] = due.toSorted((a, b) => a.at - b.at);
    if (first !== undefined) cancel = clock.after(Math.max(0, first.at - clock.now()), () => kill(first.id));
  };
  const kill = (id: ServiceGroupId) => {
    // Whatever came in between counts: the longest timer is some weeks, and a member may have joined.
    const group = groups.catalogue.find(id);
    const at = group === undefined ? undefined : autokillAt(group);
    if (at === undefined || at > clock.now()) return arm();
    groups.remove(id, clock.now()).catch((error) => log.warn({ err: error, group: id }, "autokill failed"));
  };
  const stop = groups.onChange(arm);
  arm();
  return () => {
    stop();
    cancel();
  };
}
