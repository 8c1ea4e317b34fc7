/** Branches, checkpoints and rewinds of several instances at one instant. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { Instance } from "@uni/contract/resources/instance";
import type { SavedInfo } from "@uni/contract/rpc";
import type { RpcParams } from "@uni/contract/rpc-methods";
import type { InstancesPort, SnapshotsPort } from "./port.ts";
import { readNameOrUuid } from "./references.ts";
import { type RpcAnswer, type RpcContext, value } from "./rpc-answer.ts";
import { toVmInfo } from "./vm-info.ts";

export function snapshotMethods(instances: InstancesPort, snapshots: SnapshotsPort) {
  const findAll = (ids: readonly string[], { account }: RpcContext) => {
    const found = ids.map((id) => instances.resolveLoose(account, id));
    if (new Set(found).size === found.length) return found;
    throw new UniError("invalid_value", "Member 'ids' names an instance twice");
  };
  return {
    "VM.Branch": async (params: RpcParams<"VM.Branch">, context: RpcContext): Promise<RpcAnswer> => {
      const { autostart = true } = params;
      const wanted = findAll(params.ids, context).map((of) => {
        const name = nameFor(instances.get(of), params);
        return { of, request: { autostart, ...(name === undefined ? {} : { name }) } };
      });
      const made = await snapshots.branch(context.account, wanted, context.signal);
      return value(made.map(toVmInfo));
    },
    "VM.Checkpoint": async (params: RpcParams<"VM.Checkpoint">, context: RpcContext): Promise<RpcAnswer> => {
      const { tags = [] } = params;
      const wanted = findAll(params.ids, context).map((from) => ({
        from,
        name: nameFor(instances.get(from), params),
        tags: [...new Set(tags)],
        autokillMs: 0,
      }));
      const saved = await snapshots.saveCheckpoints(wanted, context.signal);
      return value(saved.map(toSavedInfo));
    },
    "VM.Rewind": async ({ rewinds }: RpcParams<"VM.Rewind">, context: RpcContext): Promise<RpcAnswer> => {
      const found = findAll(
        rewinds.map(({ id }) => id),
        context,
      );
      const wanted = found.map((instance, index) => ({
        instance,
        checkpoint: readNameOrUuid(rewinds[index]?.checkpoint ?? ""),
      }));
      const rewound = await snapshots.rewind(context.account, wanted);
      return value(rewound.map(toVmInfo));
    },
  };
}

/** `suffix` names each after its own instance; `name` is for one alone. */
function nameFor(
  { name }: Instance,
  params: { readonly ids: readonly string[]; readonly name?: string; readonly suffix?: string },
): string | undefined {
  if (params.name !== undefined && params.suffix !== undefined) {
    throw new UniError("exclusive", "Only one of 'name' and 'suffix' can be given");
  }
  if (params.name !== undefined && params.ids.length > 1) {
    throw new UniError("exclusive", "Member 'name' is for one instance", {
      hint: "Give a suffix: each is then named after its own instance.",
    });
  }
  if (params.suffix === undefined) return params.name;
  const made = `${name}-${params.suffix}`;
  if (made.length <= limits.nameLength) return made;
  throw new UniError("invalid_value", `The name '${made}' is longer than ${limits.nameLength} characters`);
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
