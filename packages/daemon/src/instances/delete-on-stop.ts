/** Feature delete-on-stop: readers of the output may come and finish before the instance goes. */
import type { Log } from "../base/log.ts";
import type { OutputFeed } from "./output-feed.ts";
import type { InstanceRecord } from "./record.ts";
import type { Registry } from "./registry.ts";

const readersComeMs = 2_000;
const readersLeaveMs = 10_000;

interface Dependencies {
  readonly feed: OutputFeed;
  readonly registry: Registry;
  readonly log: Log;
}

export function deleteIfAsked(
  { feed, registry, log }: Dependencies,
  { id, spec }: InstanceRecord,
  remove: () => Promise<void>,
): void {
  if (!spec.features.includes("delete-on-stop")) return;
  const act = async () => {
    await feed.whenUnfollowed(id, readersComeMs, readersLeaveMs);
    if (registry.find(id)?.status.state === "stopped") await remove();
  };
  act().catch((error) => log.warn({ err: error, instance: id }, "deletion after the stop was refused"));
}
