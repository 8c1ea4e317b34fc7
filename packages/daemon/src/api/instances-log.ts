import { limits } from "@uni/contract/limits";
import type { LogQuery } from "@uni/contract/operations";
import type { LogInstancesItem } from "@uni/contract/resources/instance-requests";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import { type Answer, items } from "./outcome.ts";
import type { InstancesPort, Reference } from "./port.ts";
import { attempt, bodyItems, queryReferences, readUuid, resolveExactly } from "./references.ts";
import { atPosition } from "./waiting.ts";

export async function getLogs(instances: InstancesPort, call: Call): Promise<Answer> {
  const answers = windows(call).map(({ reference, item }) =>
    attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      const { uuid, name } = instances.get(id);
      const { defaultOffset, default: defaultLimit } = limits.logBytes;
      const window = await instances.log(id, item.offset ?? defaultOffset, item.limit ?? defaultLimit);
      const { available, range, state } = window;
      return {
        status: "success",
        uuid,
        name,
        output: window.output.toString("base64"),
        available,
        range,
        state,
      };
    }),
  );
  return items(await Promise.all(answers));
}

function windows(call: Call): { reference: Reference; item: LogInstancesItem }[] {
  if (call.uuid !== undefined) {
    const item = { ...call.query, ...(call.body as LogInstancesItem | undefined) };
    return [{ reference: { uuid: readUuid(call.uuid) }, item }];
  }
  if (call.body !== undefined) return bodyItems<LogInstancesItem>(call);
  const query = call.query as Static<typeof LogQuery>;
  const references = queryReferences(query);
  return references.map((reference, index) => ({
    reference,
    item: {
      offset: atPosition(query.offset, index, references.length, "offset"),
      limit: atPosition(query.limit, index, references.length, "limit"),
    },
  }));
}
