/** Autoscale of the memory core: configurations are kept, and nothing is made by them. */
import { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { AutoscaleGroup, SetAutoscaleBody } from "@uni/contract/resources/autoscale";
import type { AutoscalePort, Reference, ServicesPort } from "./port.ts";

export function fakeAutoscale(services: ServicesPort): AutoscalePort {
  const kept = new Map<string, AutoscaleGroup>();
  const identity = (account: AccountId, reference: Reference) => {
    const { uuid, name } = services.get(account, reference);
    return { uuid, name };
  };
  const required = (account: AccountId, reference: Reference): AutoscaleGroup & { uuid: string } => {
    const { uuid } = identity(account, reference);
    const found = kept.get(uuid);
    if (found === undefined) throw new UniError("not_found", "The service group does not scale");
    return { ...found, uuid };
  };
  return {
    list: () => [...kept.values()],
    get(account, reference) {
      const group = identity(account, reference);
      return kept.get(group.uuid) ?? { ...group, enabled: false };
    },
    async set(account, reference, request, { template, roms }) {
      const group = identity(account, reference);
      const { min_size = 1, max_size = 4, policies } = request satisfies SetAutoscaleBody;
      kept.set(group.uuid, {
        ...group,
        ...{ enabled: true, min_size, max_size, warmup_time_ms: 1000, cooldown_time_ms: 1000, size: 1 },
        template: { uuid: template.uuid ?? "", name: template.name ?? "" },
        ...(roms.length === 0 ? {} : { roms: roms.map(({ name }) => name) }),
        policies: policies ?? kept.get(group.uuid)?.policies ?? [],
      });
      return group;
    },
    async delete(account, reference) {
      kept.delete(required(account, reference).uuid);
      return identity(account, reference);
    },
    async addPolicy(account, reference, policy) {
      const before = required(account, reference);
      kept.set(before.uuid, { ...before, policies: [...(before.policies ?? []), policy] });
      return identity(account, reference);
    },
    async deletePolicy(account, reference, name) {
      const before = required(account, reference);
      const policies = (before.policies ?? []).filter((policy) => policy.name !== name);
      kept.set(before.uuid, { ...before, policies });
      return identity(account, reference);
    },
  };
}
