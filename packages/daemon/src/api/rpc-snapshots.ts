/** Branches, checkpoints and rewinds of several instances at one instant, as people name them. */
import type { Instance } from "@uni/contract/resources/instance";
import type { SavedInfo } from "@uni/contract/rpc";
import type { RpcParams } from "@uni/contract/rpc-methods";
import { branchSet, checkpointSet, rewindSet } from "./instance-sets.ts";
import type { InstancesPort, SnapshotsPort } from "./port.ts";
import { readNameOrUuid } from "./references.ts";
import { type RpcAnswer, type RpcContext, value } from "./rpc-answer.ts";
import { toVmInfo } from "./vm-info.ts";

export function snapshotMethods(instances: InstancesPort, snapshots: SnapshotsPort) {
  const deps = { instances, snapshots };
  const find = ({ account }: RpcContext, id: string) => instances.resolveLoose(account, id);
  return {
    "VM.Branch": async (
      { ids, ...more }: RpcParams<"VM.Branch">,
      context: RpcContext,
    ): Promise<RpcAnswer> => {
      const found = ids.map((id) => find(context, id));
      return value((await branchSet(deps, context, found, more)).map(toVmInfo));
    },
    "VM.Checkpoint": async (
      { ids, ...more }: RpcParams<"VM.Checkpoint">,
      context: RpcContext,
    ): Promise<RpcAnswer> => {
      const found = ids.map((id) => find(context, id));
      return value((await checkpointSet(deps, context, found, more)).map(toSavedInfo));
    },
    "VM.Rewind": async ({ rewinds }: RpcParams<"VM.Rewind">, context: RpcContext): Promise<RpcAnswer> => {
      const wanted = rewinds.map(({ id, checkpoint }) => ({
        instance: find(context, id),
        checkpoint: readNameOrUuid(checkpoint),
      }));
      return value((await rewindSet(deps, context, wanted)).map(toVmInfo));
    },
  };
}

const toSavedInfo = (saved: Instance): SavedInfo => ({
  id: saved.uuid,
  name: saved.name,
  state: saved.state,
  created_at: saved.created_at,
  image: saved.image_ref ?? saved.image,
  memory: saved.memory_mb,
  vcpus: saved.vcpus,
});
