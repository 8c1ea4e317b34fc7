import type { ListQuery } from "@uni/contract/queries";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import { type Answer, items } from "./outcome.ts";
import { askedReferences, basics, readPage, readTags } from "./paging.ts";
import type { InstancesPort, Reference } from "./port.ts";
import { attempt, readUuid, resolveExactly } from "./references.ts";

type List = Static<typeof ListQuery>;

export async function getInstances(instances: InstancesPort, call: Call): Promise<Answer> {
  const query = call.query as List;
  const references = askedReferences(call);
  if (references.length > 0) return lookUp(instances, call, references, query.details ?? true);
  const page = { ...readPage(query), tags: readTags(query) };
  const found = instances.list(call.account, page);
  return items(query.details === false ? found.map(basics) : found);
}

export function getInstance(instances: InstancesPort, call: Call): Promise<Answer> {
  const { details = true } = call.query as List;
  return lookUp(instances, call, [{ uuid: readUuid(call.uuid ?? "") }], details);
}

export async function getHistory(instances: InstancesPort, call: Call): Promise<Answer> {
  const entries = asked(instances, call).map((reference) =>
    attempt(call.log, reference, () => {
      const id = resolveExactly(instances, call.account, reference);
      return { status: "success", ...basics(instances.get(id)), history: instances.history(id) };
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
