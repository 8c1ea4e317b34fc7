/** Removes service groups that have been empty for as long as they may be. */
import type { Clock } from "../base/clock.ts";
import { watchDue } from "../base/due.ts";
import type { Log } from "../base/log.ts";
import type { GroupRecord } from "./record.ts";
import type { ServiceGroups } from "./service-groups.ts";

/** When a group goes; undefined: not by itself. */
export const autokillAt = ({ spec, emptySince }: GroupRecord): number | undefined =>
  spec.autokillMs === 0 || emptySince === null ? undefined : emptySince + spec.autokillMs;

/** Ends with the returned function. */
export const watchEmptyGroups = (groups: ServiceGroups, clock: Clock, log: Log): (() => void) =>
  watchDue({
    clock,
    all: () => groups.catalogue.all().map((group) => ({ id: group.id, at: autokillAt(group) })),
    onChange: (listener) => groups.onChange(listener),
    onDue(id) {
      groups.remove(id, clock.now()).catch((error) => log.warn({ err: error, group: id }, "autokill failed"));
    },
  });
