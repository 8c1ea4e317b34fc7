/** Removes from the store of images what nobody needs any more: uploads that were given up, blobs that no manifest came for. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Watch } from "../base/watch.ts";
import type { Images } from "../images/port.ts";

export interface ImageSweepDependencies {
  readonly images: Pick<Images, "collect">;
  readonly clock: Clock;
  readonly log: Log;
}

const everyMs = 3_600_000;

/** Until the returned function is called. */
export function sweepImages({ images, clock, log }: ImageSweepDependencies): () => Promise<void> {
  const watch = new Watch({
    clock,
    async look() {
      const freed = await images.collect();
      if (freed > 0) log.info({ freed }, "image store cleaned");
    },
    nextMs: () => everyMs,
    onError: (error) => log.error({ err: error }, "cleaning the image store failed"),
  });
  watch.plan();
  return () => watch.close();
}
