import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { Call } from "./call.ts";
import { readCreateRequest } from "./create-rules.ts";
import { type Answer, type Item, items, waitedItem } from "./outcome.ts";
import type { InstancesPort } from "./port.ts";
import { attempt } from "./references.ts";
import { waitMs } from "./waiting.ts";

/** Every request is read before the first is served: a malformed one must not leave its predecessors behind. */
export async function createInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const body = call.body as CreateInstanceRequest | readonly CreateInstanceRequest[];
  const requests = (Array.isArray(body) ? body : [body]).map(readCreateRequest);
  const created = await Promise.all(requests.map((request) => createOne(instances, call, request)));
  return items(created.flat());
}

async function createOne(
  instances: InstancesPort,
  call: Call,
  request: CreateInstanceRequest,
): Promise<Item[]> {
  let made: readonly Item[] = [];
  const failure = await attempt(call.log, { name: request.name }, async () => {
    const wait = waitMs(request.timeout_s, request.wait_timeout_ms);
    const result = await instances.create(call.account, request, wait, call.signal);
    made = result.instances.map((instance) =>
      waitedItem(instance, result.timedOut && instance.state !== "running"),
    );
    return {};
  });
  return failure.status === "error" ? [failure] : [...made];
}
