/** Feature delete-on-stop: a stopped instance deletes itself once nobody reads its output any more. */
import type { OutputFeed } from "./output-feed.ts";
import type { InstanceRecord } from "./record.ts";
import type { Registry } from "./registry.ts";

const readersComeMs = 2_000;
const readersLeaveMs = 10_000;

export async function deleteOnStop(
  deps: { readonly feed: OutputFeed; readonly registry: Registry },
  { id, spec }: InstanceRecord,
  remove: () => Promise<void>,
): Promise<void> {
  if (!spec.features.includes("delete-on-stop")) return;
  await deps.feed.whenUnfollowed(id, readersComeMs, readersLeaveMs);
  if (deps.registry.find(id)?.status.state === "stopped") await remove();
}
