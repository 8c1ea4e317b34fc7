/** What a create request says of a service group: looked at before anything is made, done once the instances are there. */
import { UniError } from "@uni/contract/errors";
import type { AccountId, InstanceId } from "@uni/contract/ids";
import type { ServiceGroupPart } from "@uni/contract/resources/service-parts";
import type { Clock } from "../base/clock.ts";
import type { Edge } from "../edge/port.ts";
import { type GroupSurroundings, groupFromRequest } from "../services/group-spec.ts";
import type { ServiceGroups } from "../services/service-groups.ts";

export interface JoinDependencies {
  readonly groups: ServiceGroups;
  readonly edge: Pick<Edge, "checkPorts">;
  readonly surroundings: (account: AccountId) => GroupSurroundings;
  readonly clock: Clock;
}

export type Join = (members: readonly InstanceId[]) => Promise<void>;

export async function prepareJoin(
  deps: JoinDependencies,
  account: AccountId,
  part: ServiceGroupPart,
): Promise<Join> {
  const { groups, edge, clock } = deps;
  const { uuid, name, services, domains, soft_limit, hard_limit } = part;
  const ofNewGroup = [services, domains, soft_limit, hard_limit].some((member) => member !== undefined);
  if (uuid !== undefined || name !== undefined) {
    if (ofNewGroup) {
      throw new UniError(
        "exclusive",
        "create instance: 'service_group' names a group or describes one, not both",
      );
    }
    const { id } = groups.catalogue.resolve(account, { uuid, name });
    return async (members) => {
      for (const member of members) await groups.join(id, member);
    };
  }
  const made = groupFromRequest(
    { services, domains, soft_limit, hard_limit },
    false,
    deps.surroundings(account),
  );
  await edge.checkPorts(made.spec.services.map(({ port }) => port));
  return async (members) => void (await groups.create({ account, ...made, members }, clock.now()));
}
