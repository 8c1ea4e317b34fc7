import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { Instance } from "@uni/contract/resources/instance";
import type {
  StartInstancesItem,
  StopInstancesItem,
  SuspendInstancesItem,
} from "@uni/contract/resources/instance-requests";
import type { Call } from "./call.ts";
import { type Answer, items, waitedItem } from "./outcome.ts";
import type { InstancesPort, StopOptions, Transition } from "./port.ts";
import { attempt, bodyItems, resolveExactly } from "./references.ts";
import { waitMs } from "./waiting.ts";

/** Between the stop signal and SIGKILL when the client asks for a quick stop. */
const quickGraceMs = 1_000;

export async function startInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const answers = bodyItems<StartInstancesItem>(call).map(({ reference, item }) =>
    attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      const options = { waitMs: waitMs(item.timeout_s, item.wait_timeout_ms), cold: item.cold };
      return transitioned(instances.get(id), await instances.start(id, options, call.signal));
    }),
  );
  return items(await Promise.all(answers));
}

export async function suspendInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const answers = bodyItems<SuspendInstancesItem>(call).map(({ reference, item }) =>
    attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      const { drain_timeout_ms: drain = -1 } = item;
      const options = {
        drainMs: drain === -1 ? Number.POSITIVE_INFINITY : drain,
        waitMs: waitMs(item.timeout_s, undefined),
      };
      return transitioned(instances.get(id), await instances.suspend(id, options, call.signal));
    }),
  );
  return items(await Promise.all(answers));
}

export async function stopInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const wanted = bodyItems<StopInstancesItem>(call);
  for (const { item } of wanted) refuseDump(item);
  const answers = wanted.map(({ reference, item }) =>
    attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      const instance = instances.get(id);
      return transitioned(instance, await instances.stop(id, stopOptions(item, instance), call.signal));
    }),
  );
  return items(await Promise.all(answers));
}

function stopOptions(item: StopInstancesItem, instance: Instance): StopOptions {
  const force = item.force ?? false;
  const drain = item.drain_timeout_ms ?? 0;
  const grace = (item.grace_period_s ?? instance.grace_period_s ?? limits.graceS.default) * 1000;
  return {
    force,
    drainMs: force ? 0 : drain === -1 ? limits.drainMs.maximum : drain,
    ifState: item.ifstate,
    graceMs: item.quick ? Math.min(quickGraceMs, grace) : grace,
    waitMs: waitMs(item.timeout_s, undefined),
  };
}

function refuseDump({ dump, force }: StopInstancesItem): void {
  if (!dump) return;
  if (!force) throw new UniError("invalid_value", "Member 'dump' needs 'force' to be true");
  throw new UniError("not_supported", "Member 'dump' is not supported yet");
}

function transitioned({ uuid, name }: Instance, transition: Transition) {
  const { state, previousState, timedOut } = transition;
  return waitedItem({ uuid, name, state, previous_state: previousState }, timedOut);
}
