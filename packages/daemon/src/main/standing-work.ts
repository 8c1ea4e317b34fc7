/** The daemon's standing work: what goes on by itself while it runs. */
import { statfs } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import { readHostMemory } from "../host/memory.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Images } from "../images/port.ts";
import { DeepSleep } from "../reconcilers/deep-sleep.ts";
import { IdleWatch } from "../reconcilers/idle-watch.ts";
import { sweepImages } from "../reconcilers/image-sweep.ts";
import { ImageUpkeep } from "../reconcilers/image-upkeep.ts";
import { instancesOf, type Users } from "./users.ts";
import { type WakeOnPacketDependencies, wakeOnPacket } from "./wake-on-packet.ts";

export interface StandingWorkDependencies extends WakeOnPacketDependencies {
  readonly saved: Users["saved"];
  readonly clock: Clock;
  readonly images: Images;
  readonly pins: Pins;
  readonly dataDirectory: string;
  /** 0: pulled images stay, whatever the disk says. */
  readonly pruneImagesAfterMs: number;
  readonly sleepToDiskAfterMs: number;
}

/** Below this part of the host's memory, sleepers give up their processes. */
const scarcePart = 0.1;
/** Below this part of the disk, pulled images that nobody has used for long go. */
const scarceDiskPart = 0.1;

export function startStandingWork(deps: StandingWorkDependencies): { readonly close: () => Promise<void> } {
  const endWakes = wakeOnPacket(deps);
  const idle = new IdleWatch(deps);
  const endSweeps = sweepImages(deps);
  const deep = new DeepSleep({
    ...deps,
    afterMs: deps.sleepToDiskAfterMs,
    isShortOfMemory: async () => {
      const { totalKb, availableKb } = await readHostMemory();
      return availableKb < totalKb * scarcePart;
    },
  });
  const upkeep = new ImageUpkeep({
    ...deps,
    instancesOf: (digest) => instancesOf(deps, digest),
    unusedForMs: deps.pruneImagesAfterMs === 0 ? undefined : deps.pruneImagesAfterMs,
    async isShortOfDisk() {
      const { bavail, blocks } = await statfs(deps.dataDirectory);
      return bavail < blocks * scarceDiskPart;
    },
  });
  return {
    async close() {
      endWakes();
      await endSweeps();
      await idle.close();
      await deep.close();
      await upkeep.close();
    },
  };
}
