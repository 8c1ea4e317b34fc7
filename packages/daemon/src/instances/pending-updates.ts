/** Changes of an instance: at once where they may, else kept until it is stopped. */
import { toUniError, UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { ImageReference } from "@uni/contract/resources/image-spec";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { Lifecycle } from "./lifecycle.ts";
import { missingMedia } from "./media.ts";
import type { InstanceRecord, InstanceSpec, PendingUpdate } from "./record.ts";
import type { Registry } from "./registry.ts";
import { isPendingRoms } from "./roms.ts";
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
  const { roms: value, release } = await deps.lifecycle.resolveRoms(
    deps.registry.get(id).account,
    update.value as readonly RomPart[],
  );
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
  const { prop, op } = update;
  // How it was pulled is nobody's to see.
  const value = image === undefined ? update.value : image.imageReference;
  // What failed was seen by whoever tries anew.
  const updates = status.updates.filter((each) => each.prop !== prop || each.status !== "failed");
  if (isImmediate(update) || status.state === "stopped") {
    await registry.change(id, { spec: patch, status: { updates } });
    return;
  }
  await registry.change(id, { status: { updates: [...updates, { prop, op, value, status: "pending" }] } });
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
      await registry.change(id, { status: { updates: [...others(), failed(update, message)] } });
    }
  }
}

/** The instance as it will be when kept changes of its ROMs are brought about; those that fail are left out. */
export function withPendingRoms(record: InstanceRecord): InstanceRecord {
  let { spec } = record;
  for (const update of record.status.updates.filter(isPendingRoms)) {
    try {
      spec = { ...spec, ...applyUpdate(spec, update as InstanceUpdate) };
    } catch {
      // `applyPending` meets it too, and marks it.
    }
  }
  return { ...record, spec };
}

/** Kept changes of ROMs come about no more: they stay, marked, so that their owner sees why. */
export const refusedRoms = (updates: readonly PendingUpdate[], error: string): readonly PendingUpdate[] =>
  updates.map((update) => (isPendingRoms(update) ? failed(update, error) : update));

const failed = (update: PendingUpdate, error: string): PendingUpdate => ({
  ...update,
  status: "failed",
  error,
});

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
  const image = await lifecycle.resolveImage(record.account, update.value as ImageReference);
  const media = missingMedia(null, record.spec.media?.roms ?? []);
  return { imageReference: image.reference, imageDigest: image.digest, media };
}
