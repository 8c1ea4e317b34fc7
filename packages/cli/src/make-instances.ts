import { UniError } from "@uni/contract/errors";
import type { Instance } from "@uni/contract/resources/instance";
import type { VmInfo } from "@uni/contract/rpc";
import type { RpcParams } from "@uni/contract/rpc-methods";
import { createRequestOf } from "@uni/sdk/create-request";
import { envelopeItems } from "@uni/sdk/envelope-items";
import { vmInfoOf } from "@uni/sdk/vm-info";
import type { Context } from "./context.ts";

/** Beyond the wait itself: an image's first use makes its boot snapshot. */
const slackMs = 120_000;

/** Creates one instance or several alike; waits `wait_s` for them to run. */
export async function makeInstances(
  { client, signal }: Context,
  params: RpcParams<"VM.Run">,
  count: number,
): Promise<readonly VmInfo[]> {
  const options = { signal, timeoutMs: (params.wait_s ?? 0) * 1000 + slackMs };
  if (count === 1) return [await client.call("VM.Run", params, options)];
  if (params.name !== undefined && count > 1) {
    throw new UniError("exclusive", "creating instances: --name and --replicas do not go together", {
      hint: "Leave --name out: each one gets a name of its own.",
    });
  }
  const body = { ...createRequestOf(params), replicas: count - 1 };
  const envelope = await client.operation("createInstance", { body }, options);
  return envelopeItems<Instance>(envelope, "instances", "creating instances").map(vmInfoOf);
}
