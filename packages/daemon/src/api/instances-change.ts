import type { DeleteInstancesItem, UpdateInstancesItem } from "@uni/contract/resources/instance-requests";
import type { Call } from "./call.ts";
import { type Answer, type Item, items, waitedItem } from "./outcome.ts";
import type { InstancesPort } from "./port.ts";
import { attempt, bodyItems, resolveExactly } from "./references.ts";
import { readUpdate } from "./update-rules.ts";
import { waitMs } from "./waiting.ts";

/** One after the other, for several items may change one instance. */
export async function updateInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const wanted = bodyItems<UpdateInstancesItem>(call).map(({ reference, item }) => ({
    reference,
    tag: item.id === undefined ? {} : { id: item.id },
    update: readUpdate(item),
  }));
  const answers: Item[] = [];
  for (const { reference, tag, update } of wanted) {
    const answer = await attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      await instances.update(id, update);
      const { uuid, name } = instances.get(id);
      return { status: "success", uuid, name };
    });
    answers.push({ ...answer, ...tag });
  }
  return items(answers);
}

export async function deleteInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const inQuery = (call.query as { timeout_s?: number }).timeout_s;
  const answers = bodyItems<DeleteInstancesItem>(call).map(({ reference, item }) =>
    attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      const { uuid, name } = instances.get(id);
      const wait = waitMs(item.timeout_s ?? inQuery, undefined);
      const { previousState, timedOut } = await instances.delete(id, wait, call.signal);
      return waitedItem({ uuid, name, previous_state: previousState }, timedOut ?? false);
    }),
  );
  return items(await Promise.all(answers));
}
