import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { ServiceGroups } from "./service-groups.ts";

/** Takes instances that are gone out of their groups: those that went while the daemon was away, then each as it goes. */
export interface InstanceWatch {
  readonly exists: (id: InstanceId) => boolean;
  /** Returns what ends the watch. */
  readonly onGone: (listener: (id: InstanceId) => void) => () => void;
}

export async function followInstances(
  groups: ServiceGroups,
  { exists, onGone }: InstanceWatch,
  clock: Clock,
  log: Log,
): Promise<() => void> {
  const stop = onGone((id) => {
    groups
      .leave(id, clock.now())
      .catch((error) => log.error({ err: error, instance: id }, "leaving a group failed"));
  });
  for (const id of groups.members()) if (!exists(id)) await groups.leave(id, clock.now());
  return stop;
}
