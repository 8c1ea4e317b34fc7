/** Changes of an instance: at once where they may, else kept until it is stopped. */
import { toUniError, UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { Lifecycle } from "./lifecycle.ts";
import type { InstanceRecord, InstanceSpec } from "./record.ts";
import type { Registry } from "./registry.ts";
import { applyUpdate, isImmediate } from "./updates.ts";

export interface UpdateDependencies {
  readonly registry: Registry;
  readonly lifecycle: Pick<Lifecycle, "resolveImage">;
}

/** A change that can never be applied is refused now, also when it would be kept for later. */
export async function updateInstance(
  { registry, lifecycle }: UpdateDependencies,
  id: InstanceId,
  update: InstanceUpdate,
): Promise<void> {
  const patch = await patchFor(lifecycle, registry.get(id), update);
  const { status } = registry.get(id);
  if (isImmediate(update) || status.state === "stopped") {
    await registry.change(id, { spec: patch });
    return;
  }
  const { prop, op, value } = update;
  await registry.change(id, {
    status: { updates: [...status.updates, { prop, op, value, status: "pending" }] },
  });
}

/** Brings kept changes about; one that fails stays, marked, so that its owner sees why. */
export async function applyPending(
  { registry, lifecycle }: UpdateDependencies,
  id: InstanceId,
): Promise<void> {
  for (const update of registry.get(id).status.updates.filter((each) => each.status === "pending")) {
    const record = registry.get(id);
    const others = record.status.updates.filter((each) => each !== update);
    try {
      const patch = await patchFor(lifecycle, record, update as InstanceUpdate);
      await registry.change(id, { spec: patch, status: { updates: others } });
    } catch (thrown) {
      const { message } = toUniError(thrown, `change '${update.prop}'`);
      const failed = { ...update, status: "failed" as const, error: message };
      await registry.change(id, { status: { updates: [...others, failed] } });
    }
  }
}

async function patchFor(
  lifecycle: Pick<Lifecycle, "resolveImage">,
  record: InstanceRecord,
  update: InstanceUpdate,
): Promise<Partial<InstanceSpec>> {
  if (update.prop !== "image") return applyUpdate(record.spec, update);
  if (update.op !== "set") {
    throw new UniError(
      "invalid_value",
      `${update.op} the image of instance '${record.name}': it can only be set`,
    );
  }
  const image = await lifecycle.resolveImage(update.value as string);
  return { imageReference: image.reference, imageDigest: image.digest };
}
