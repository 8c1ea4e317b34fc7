/** Gives up pins that nobody used for as long as they were to, and makes room when the disk is short of it. */
import type { Digest } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Watch } from "../base/watch.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Images } from "../images/port.ts";

export interface ImageUpkeepDependencies {
  readonly images: Pick<Images, "prunePulled">;
  readonly pins: Pick<Pins, "all" | "expire" | "holding">;
  /** Names of the instances, templates and checkpoints that need an image. */
  readonly instancesOf: (digest: Digest) => readonly string[];
  readonly isShortOfDisk: () => Promise<boolean>;
  /** Undefined: pulled images stay, whatever the disk says. */
  readonly unusedForMs: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const lookMs = 60_000;

export class ImageUpkeep {
  readonly #watch: Watch;

  constructor(deps: ImageUpkeepDependencies) {
    this.#watch = new Watch({
      clock: deps.clock,
      look: () => look(deps),
      nextMs: () => lookMs,
      onError: (error) => deps.log.error({ err: error }, "looking after images failed"),
    });
    this.#watch.plan();
  }

  close(): Promise<void> {
    return this.#watch.close();
  }
}

async function look(deps: ImageUpkeepDependencies): Promise<void> {
  const { images, pins, instancesOf, isShortOfDisk, unusedForMs } = deps;
  await pins.expire((digest) => instancesOf(digest).length > 0);
  if (unusedForMs === undefined) return;
  const inUse = (digest: Digest): readonly string[] => [...instancesOf(digest), ...pins.holding(digest)];
  await images.prunePulled({ inUse, unusedForMs, isShortOfDisk });
}
