import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { DrainGoal, Drains } from "../instances/drains.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import type { Registry } from "../instances/registry.ts";
import { connectionsOf } from "./instance-stats.ts";

export interface Drain {
  readonly goal: DrainGoal;
  readonly ms: number;
}

export interface DrainDependencies {
  readonly clock: Clock;
  readonly drains: Drains;
  readonly registry: Registry;
  readonly live: (id: InstanceId) => LiveInstance | undefined;
  /** Resolves when the edge goes by what instances are now. */
  readonly applyEdge: () => Promise<void>;
}

const lookAgainMs = 200;

/**
 * When it resolves, nothing new comes by the edge; that lasts until the work is done which the returned function is given. It
 * begins when the guest has no open connection or `ms` are over, unless it is another run by then, or none.
 */
export async function beginDrain(
  deps: DrainDependencies,
  id: InstanceId,
  { goal, ms }: Drain,
): Promise<(work: () => Promise<void>) => Promise<void>> {
  const { clock, drains, registry, live, applyEdge } = deps;
  // One that sleeps has nothing to end, and cannot be asked for its connections.
  if (ms <= 0 || registry.get(id).status.state !== "running") return (work) => work();
  const run = registry.get(id).status.startCount;
  const runs = () => {
    const status = registry.find(id)?.status;
    return status?.state === "running" && status.startCount === run;
  };
  const end = drains.begin(id, goal);
  await applyEdge();
  return async (work) => {
    try {
      const endUs = clock.monotonicUs() + ms * 1000;
      while (runs() && clock.monotonicUs() < endUs && (await connectionsOf(live(id))) > 0) {
        await clock.sleep(Math.min(lookAgainMs, (endUs - clock.monotonicUs()) / 1000));
      }
      if (runs()) await work();
    } finally {
      end();
      void applyEdge();
    }
  };
}
