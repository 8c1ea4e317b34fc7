/** Members that a service group is given because of its load, and that are taken away again. */
import type { InstanceId, ServiceGroupId } from "@uni/contract/ids";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord, InstanceSpec } from "../instances/record.ts";
import type { GroupRecord } from "../services/record.ts";
import type { ServiceGroups } from "../services/service-groups.ts";
import { beginDrain, type DrainDependencies } from "./drain.ts";

export interface ScaleMembersDependencies extends DrainDependencies {
  readonly owners: Owners;
  readonly groups: ServiceGroups;
  /** See `createRequested`. */
  readonly create: (
    account: GroupRecord["account"],
    request: CreateInstanceRequest,
    options: { readonly waits: boolean; readonly spec: Partial<InstanceSpec>; readonly signal: AbortSignal },
  ) => Promise<InstanceRecord[]>;
}

export interface NewMember {
  readonly template: InstanceId;
  readonly roms: readonly RomPart[];
  /** Goes once the new one serves. */
  readonly replaces: InstanceId | null;
}

/**
 * A clone of the template that has joined the group, and its start, which is under way. Killed in between, it leaves an
 * instance that is no member or never ran: both are told by `scaledFor`, and are removed.
 */
export async function addMember(
  deps: ScaleMembersDependencies,
  { id, account }: GroupRecord,
  { template, roms, replaces }: NewMember,
): Promise<{ readonly member: InstanceId; readonly started: Promise<void> }> {
  const [record] = await deps.create(
    account,
    { template: { uuid: template }, autostart: true, roms: [...roms] },
    { waits: false, spec: { scaledFor: id, replaces }, signal: new AbortController().signal },
  );
  if (record === undefined) throw new Error("make a member: no instance was made");
  const owner = deps.owners.of(record.id);
  try {
    await deps.groups.join(id, record.id);
  } catch (error) {
    await owner.delete();
    throw error;
  }
  const started = owner.start({}).then(() => {});
  return { member: record.id, started };
}

/** It gets nothing new, may finish what it has for `drainMs`, and is gone when this resolves. */
export async function removeMember(
  deps: ScaleMembersDependencies,
  id: InstanceId,
  drainMs: number,
): Promise<void> {
  const remove = async () => void (await deps.owners.of(id).delete());
  const drained = await beginDrain(deps, id, { goal: "stop", ms: drainMs });
  await drained(remove);
  // It fell asleep or ended meanwhile.
  if (deps.registry.find(id) !== undefined) await remove();
}

/** Whether it was made for the group, and nobody has said since that it is to stay. */
export const isRemovable = ({ spec }: InstanceRecord, group: ServiceGroupId): boolean =>
  spec.scaledFor === group && !spec.deleteLock;
