/** Changes of an instance: at once where they may, else kept until it is stopped. */
import { toUniError, UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { Lifecycle } from "./lifecycle.ts";
import type { InstanceRecord, InstanceSpec, PendingUpdate } from "./record.ts";
import type { Registry } from "./registry.ts";
import { applyUpdate, isImmediate } from "./updates.ts";

export interface UpdateDependencies {
  readonly registry: Registry;
  readonly lifecycle: Pick<Lifecycle, "resolveImage" | "resolveRoms">;
}

/** A change that can never be applied is refused now, also when it would be kept for later. */
export async function updateInstance(
  deps: UpdateDependencies,
  id: InstanceId,
  update: InstanceUpdate,
): Promise<void> {
  if (update.prop !== "roms" || update.op === "del") return changeOrKeep(deps, id, update);
  const { roms: value, release } = await deps.lifecycle.resolveRoms(update.value as readonly RomPart[]);
  await changeOrKeep(deps, id, { ...update, value }).finally(release);
}

async function changeOrKeep(
  { registry, lifecycle }: UpdateDependencies,
  id: InstanceId,
  update: InstanceUpdate,
): Promise<void> {
  const image = await newImage(lifecycle, registry.get(id), update);
  // Nothing is awaited between reading the record and changing it: two changes at once both hold.
  const { spec, status } = registry.get(id);
  const patch = image ?? applyUpdate(spec, update);
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
  which: (update: PendingUpdate) => boolean = () => true,
): Promise<void> {
  const pending = registry.get(id).status.updates.filter((each) => each.status === "pending");
  for (const update of pending.filter(which)) {
    const others = () => registry.get(id).status.updates.filter((each) => each !== update);
    try {
      const image = await newImage(lifecycle, registry.get(id), update as InstanceUpdate);
      const patch = image ?? applyUpdate(registry.get(id).spec, update as InstanceUpdate);
      await registry.change(id, { spec: patch, status: { updates: others() } });
    } catch (thrown) {
      const { message } = toUniError(thrown, `change '${update.prop}'`);
      const failed = { ...update, status: "failed" as const, error: message };
      await registry.change(id, { status: { updates: [...others(), failed] } });
    }
  }
}

/** Undefined for a change of anything else. */
async function newImage(
  lifecycle: Pick<Lifecycle, "resolveImage">,
  record: InstanceRecord,
  update: InstanceUpdate,
): Promise<Partial<InstanceSpec> | undefined> {
  if (update.prop !== "image") return undefined;
  if (update.op !== "set") {
    throw new UniError(
      "invalid_value",
      `${update.op} the image of instance '${record.name}': it can only be set`,
    );
  }
  const image = await lifecycle.resolveImage(update.value as string);
  return { imageReference: image.reference, imageDigest: image.digest };
}
