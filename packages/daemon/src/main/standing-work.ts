/** The daemon's standing work: what goes on by itself while it runs. */
import type { Clock } from "../base/clock.ts";
import { readHostMemory } from "../host/memory.ts";
import { DeepSleep } from "../reconcilers/deep-sleep.ts";
import { IdleWatch } from "../reconcilers/idle-watch.ts";
import { type WakeOnPacketDependencies, wakeOnPacket } from "./wake-on-packet.ts";

export interface StandingWorkDependencies extends WakeOnPacketDependencies {
  readonly clock: Clock;
  readonly sleepToDiskAfterMs: number;
}

/** Below this part of the host's memory, sleepers give up their processes. */
const scarcePart = 0.1;

export function startStandingWork(deps: StandingWorkDependencies): { readonly close: () => Promise<void> } {
  const endWakes = wakeOnPacket(deps);
  const idle = new IdleWatch(deps);
  const deep = new DeepSleep({
    ...deps,
    afterMs: deps.sleepToDiskAfterMs,
    isShortOfMemory: async () => {
      const { totalKb, availableKb } = await readHostMemory();
      return availableKb < totalKb * scarcePart;
    },
  });
  return {
    async close() {
      endWakes();
      await idle.close();
      await deep.close();
    },
  };
}
