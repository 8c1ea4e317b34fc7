/** Branches, checkpoints and rewinds of several instances at one instant: all of them, or none. */
import { UniError } from "@uni/contract/errors";
import type { AccountId, InstanceId } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import type { Instance } from "@uni/contract/resources/instance";
import type { BranchSetBody, CheckpointSetBody, RewindSetBody } from "@uni/contract/resources/instance-set";
import type { Call } from "./call.ts";
import { type Answer, items } from "./outcome.ts";
import type { InstancesPort, Reference, SnapshotsPort } from "./port.ts";
import { readReference, resolveExactly } from "./references.ts";

export interface SetDependencies {
  readonly instances: InstancesPort;
  readonly snapshots: SnapshotsPort;
}

interface Asker {
  readonly account: AccountId;
  readonly signal: AbortSignal;
}

interface Naming {
  readonly name?: string;
  readonly suffix?: string;
}

export function branchSet(
  { instances, snapshots }: SetDependencies,
  { account, signal }: Asker,
  ids: readonly InstanceId[],
  { autostart = true, ...naming }: Naming & { readonly autostart?: boolean },
): Promise<readonly Instance[]> {
  const wanted = distinct(ids).map((of) => {
    const name = nameFor(instances.get(of), ids, naming);
    return { of, request: { autostart, ...(name === undefined ? {} : { name }) } };
  });
  return snapshots.branch(account, wanted, signal);
}

export function checkpointSet(
  { instances, snapshots }: SetDependencies,
  { signal }: Asker,
  ids: readonly InstanceId[],
  { tags = [], ...naming }: Naming & { readonly tags?: readonly string[] },
): Promise<readonly Instance[]> {
  const wanted = distinct(ids).map((from) => ({
    from,
    name: nameFor(instances.get(from), ids, naming),
    tags: [...new Set(tags)],
    autokillMs: 0,
  }));
  return snapshots.saveCheckpoints(wanted, signal);
}

export function rewindSet(
  { snapshots }: SetDependencies,
  { account }: Asker,
  wanted: readonly { readonly instance: InstanceId; readonly checkpoint: Reference }[],
): Promise<readonly Instance[]> {
  distinct(wanted.map(({ instance }) => instance));
  return snapshots.rewind(account, wanted);
}

function distinct(ids: readonly InstanceId[]): readonly InstanceId[] {
  if (new Set(ids).size === ids.length) return ids;
  throw new UniError("invalid_value", "An instance is named twice");
}

/** `suffix` names each after its own instance; `name` is for one alone. */
function nameFor(of: Instance, all: readonly InstanceId[], { name, suffix }: Naming): string | undefined {
  if (name !== undefined && suffix !== undefined) {
    throw new UniError("exclusive", "Only one of 'name' and 'suffix' can be given");
  }
  if (name !== undefined && all.length > 1) {
    throw new UniError("exclusive", "Member 'name' is for one instance", {
      hint: "Give a suffix: each is then named after its own instance.",
    });
  }
  if (suffix === undefined) return name;
  const made = `${of.name}-${suffix}`;
  if (made.length <= limits.nameLength) return made;
  throw new UniError("invalid_value", `The name '${made}' is longer than ${limits.nameLength} characters`);
}

/** Over REST; what goes wrong with one goes wrong with all, and is the request's failure. */
export function setHandlers(deps: SetDependencies) {
  const idOf = (call: Call, reference: Reference): InstanceId =>
    resolveExactly(deps.instances, call.account, readReference(reference));
  const answer = (made: readonly Instance[]): Answer =>
    items(made.map((instance) => ({ status: "success", ...instance })));
  return {
    async branchInstances(call: Call): Promise<Answer> {
      const { instances, ...more } = call.body as BranchSetBody;
      const ids = instances.map((reference) => idOf(call, reference));
      return answer(await branchSet(deps, call, ids, more));
    },
    async checkpointInstances(call: Call): Promise<Answer> {
      const { instances, ...more } = call.body as CheckpointSetBody;
      const ids = instances.map((reference) => idOf(call, reference));
      return answer(await checkpointSet(deps, call, ids, more));
    },
    async rewindInstances(call: Call): Promise<Answer> {
      const wanted = (call.body as RewindSetBody).rewinds.map(({ instance, checkpoint }) => ({
        instance: idOf(call, instance),
        checkpoint: readReference(checkpoint),
      }));
      return answer(await rewindSet(deps, call, wanted));
    },
  };
}
