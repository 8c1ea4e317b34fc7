import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import {
  type CreateServiceGroupRequest,
  type ServiceGroupUpdate,
  serviceGroupUpdateValues,
  type UpdateServiceGroupsItem,
} from "@uni/contract/resources/service-group";
import type { Call } from "./call.ts";
import { createNamed, deleteNamed, readNamed } from "./named-resources.ts";
import { type Answer, items } from "./outcome.ts";
import { basics } from "./paging.ts";
import type { Reference, ServicesPort } from "./port.ts";
import { attempt, bodyItems, readReference } from "./references.ts";
import { readValue } from "./update-rules.ts";

export function createServiceGroup(services: ServicesPort, call: Call): Promise<Answer> {
  const request = call.body as CreateServiceGroupRequest;
  const { soft_limit = limits.groupLimit.defaultSoft, hard_limit = limits.groupLimit.defaultHard } = request;
  if (soft_limit > hard_limit) {
    throw new UniError(
      "invalid_value",
      `Member 'soft_limit' (${soft_limit}) must not be above 'hard_limit' (${hard_limit})`,
    );
  }
  for (const { certificate } of request.domains ?? []) {
    if (certificate !== undefined) readReference(certificate);
  }
  return createNamed(call, request.name, () => services.create(call.account, request));
}

export const getServiceGroups = (services: ServicesPort, call: Call): Promise<Answer> =>
  readNamed(services, call);

interface Change {
  readonly reference: Reference;
  readonly tags: readonly object[];
  readonly updates: readonly ServiceGroupUpdate[];
}

/** One after the other, for several items may change one group. */
export async function updateServiceGroups(services: ServicesPort, call: Call): Promise<Answer> {
  const changes = bodyItems<UpdateServiceGroupsItem>(call).map(({ reference, item }) => ({
    reference,
    tags: [item.id === undefined ? {} : { id: item.id }],
    updates: [readUpdate(item)],
  }));
  const answers: object[] = [];
  for (const { reference, tags, updates } of withLimitsTogether(changes)) {
    const answer = await attempt(call.log, reference, async () => ({
      status: "success" as const,
      ...basics(await services.update(call.account, reference, updates)),
    }));
    answers.push(...tags.map((tag) => ({ ...answer, ...tag })));
  }
  return items(answers);
}

/** Both limits of a group, one after the other, are one change: in between soft could be above hard. */
function withLimitsTogether(changes: readonly Change[]): Change[] {
  const merged: Change[] = [];
  for (const change of changes) {
    const before = merged.at(-1);
    if (before === undefined || !isSameGroup(before, change) || ![before, change].every(setsLimits)) {
      merged.push(change);
      continue;
    }
    const tags = [...before.tags, ...change.tags];
    merged[merged.length - 1] = { ...before, tags, updates: [...before.updates, ...change.updates] };
  }
  return merged;
}

const isSameGroup = ({ reference: a }: Change, { reference: b }: Change): boolean =>
  a.uuid === b.uuid && a.name === b.name;

const setsLimits = ({ updates }: Change): boolean => updates.every(({ prop }) => prop.endsWith("_limit"));

export const deleteServiceGroups = (services: ServicesPort, call: Call): Promise<Answer> =>
  deleteNamed(services, call);

function readUpdate({ prop, op, value }: ServiceGroupUpdate): ServiceGroupUpdate {
  const checked = readValue(serviceGroupUpdateValues[prop], { prop, op, value });
  return checked === undefined ? { prop, op } : { prop, op, value: checked };
}
