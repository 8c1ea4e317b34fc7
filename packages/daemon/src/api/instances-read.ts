import { UniError } from "@uni/contract/errors";
import type { ListQuery } from "@uni/contract/operations";
import type { Instance } from "@uni/contract/resources/instance";
import type { NameOrUuid } from "@uni/contract/resources/reference";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import { type Answer, items } from "./outcome.ts";
import type { InstancesPort, Reference } from "./port.ts";
import { attempt, queryReferences, readReference, readUuid, resolveExactly } from "./references.ts";

type List = Static<typeof ListQuery>;

export async function getInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const query = call.query as List;
  const references = askedReferences(call);
  if (references.length > 0) return lookUp(instances, call, references, query.details ?? true);
  const page = {
    count: query.count === undefined || query.count === 0 ? Number.POSITIVE_INFINITY : query.count,
    from: query.from === undefined ? undefined : readCursor(query.from),
    order: query.order ?? "asc",
    tags: (query.tags ?? []).flatMap((tag) => tag.split(",")).filter((tag) => tag !== ""),
  };
  const found = instances.list(call.account, page);
  return items(query.details === false ? found.map(basics) : found);
}

export function getInstance(instances: InstancesPort, call: Call): Promise<Answer> {
  const { details = true } = call.query as List;
  return lookUp(instances, call, [{ uuid: readUuid(call.uuid ?? "") }], details);
}

/** No instance came from a checkpoint yet, so every history is empty. */
export async function getHistory(instances: InstancesPort, call: Call): Promise<Answer> {
  const entries = asked(instances, call).map((reference) =>
    attempt(call.log, reference, () => {
      const { uuid, name } = instances.get(resolveExactly(instances, call.account, reference));
      return { status: "success", uuid, name, history: [] };
    }),
  );
  return items(await Promise.all(entries));
}

/** References of the path, the body or the query; without any, all instances of the account. */
export function asked(instances: InstancesPort, call: Call): Reference[] {
  if (call.uuid !== undefined) return [{ uuid: readUuid(call.uuid) }];
  const references = askedReferences(call);
  if (references.length > 0) return references;
  const everything = { count: Number.POSITIVE_INFINITY, order: "asc", tags: [] } as const;
  return instances.list(call.account, everything).map(({ uuid }) => ({ uuid }));
}

function askedReferences(call: Call): Reference[] {
  if (call.body === undefined) return queryReferences(call.query);
  return (call.body as readonly NameOrUuid[]).map(readReference);
}

async function lookUp(
  instances: InstancesPort,
  call: Call,
  references: readonly Reference[],
  details: boolean,
): Promise<Answer> {
  const entries = references.map((reference) =>
    attempt(call.log, reference, () => {
      const instance = instances.get(resolveExactly(instances, call.account, reference));
      return { status: "success", ...(details ? instance : basics(instance)) };
    }),
  );
  return items(await Promise.all(entries));
}

const basics = ({ uuid, name }: Instance) => ({ uuid, name });

/** A uuid or a time; an unknown uuid is no error, for its instance may be gone since the page before. */
function readCursor(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    if (Number.isNaN(Date.parse(text)))
      throw new UniError("invalid_value", `Member 'from' is no time: '${text}'`);
    return new Date(Date.parse(text)).toISOString();
  }
  return readUuid(text);
}
