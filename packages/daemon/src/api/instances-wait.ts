import type { WaitQuery } from "@uni/contract/operations";
import type { WaitInstancesItem } from "@uni/contract/resources/instance-requests";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import { type Answer, items, waitedItem } from "./outcome.ts";
import type { InstancesPort, Reference } from "./port.ts";
import { attempt, bodyItems, queryReferences, readUuid, resolveExactly } from "./references.ts";
import { atPosition, waitMs } from "./waiting.ts";

interface Wait {
  readonly reference: Reference;
  readonly item: WaitInstancesItem;
}

/** Without a time limit a wait lasts until the state is there or the client goes. */
export async function waitInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const answers = waits(call).map(({ reference, item }) =>
    attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      const { uuid, name } = instances.get(id);
      const limit = waitMs(item.timeout_s, item.timeout_ms, Number.POSITIVE_INFINITY);
      const { state, timedOut } = await instances.wait(id, item.state ?? "running", limit, call.signal);
      return waitedItem({ uuid, name, state }, timedOut);
    }),
  );
  return items(await Promise.all(answers));
}

function waits(call: Call): Wait[] {
  if (call.uuid !== undefined) {
    const item = { ...call.query, ...(call.body as WaitInstancesItem | undefined) };
    return [{ reference: { uuid: readUuid(call.uuid) }, item }];
  }
  if (call.body !== undefined) return bodyItems<WaitInstancesItem>(call);
  const query = call.query as Static<typeof WaitQuery>;
  const references = queryReferences(query);
  return references.map((reference, index) => ({
    reference,
    item: {
      state: atPosition(query.state, index, references.length, "state"),
      timeout_s: atPosition(query.timeout_s, index, references.length, "timeout_s"),
      timeout_ms: atPosition(query.timeout_ms, index, references.length, "timeout_ms"),
    },
  }));
}
