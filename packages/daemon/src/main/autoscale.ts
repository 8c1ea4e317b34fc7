/** Autoscale of the API, on top of its room and of templates and service groups. */
import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import type { AccountId, ServiceGroupId } from "@uni/contract/ids";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { AutoscalePort, Reference } from "../api/port.ts";
import type { Configurations } from "../autoscale/configurations.ts";
import { configurationOf, withPolicy } from "../autoscale/policies.ts";
import type { Configuration } from "../autoscale/record.ts";
import { viewConfiguration } from "../autoscale/view.ts";
import type { Registry } from "../instances/registry.ts";
import { mergeRoms } from "../instances/roms.ts";
import { type RomDependencies, resolveRoms } from "../operations/rom-contents.ts";
import type { GroupRecord } from "../services/record.ts";
import type { ServiceGroups } from "../services/service-groups.ts";
import type { SavedInstances } from "../snapshots/saved-instances.ts";

export interface AutoscaleSurroundings extends RomDependencies {
  readonly configurations: Configurations;
  readonly groups: ServiceGroups;
  readonly saved: SavedInstances;
  readonly registry: Registry;
  /** Resolves when the edge is as things are now. */
  readonly applyEdge: () => Promise<void>;
}

export function createAutoscalePort({
  configurations,
  groups,
  saved,
  registry,
  applyEdge,
  ...surroundings
}: AutoscaleSurroundings): AutoscalePort {
  const find = (account: AccountId, reference: Reference) => groups.catalogue.resolve(account, reference);
  const identity = ({ id, name }: GroupRecord) => ({ uuid: id, name });
  const required = (group: GroupRecord) => {
    const configuration = configurations.find(group.id);
    if (configuration !== undefined) return configuration;
    throw new UniError("not_found", `Service group '${group.name}' does not scale`, {
      hint: `Let it: uni scale set ${group.name} --template NAME`,
    });
  };
  const sizeOf = (id: ServiceGroupId) =>
    groups.membersOf(id).filter((member) => (registry.find(member)?.status.state ?? "stopped") !== "stopped")
      .length;

  function view(group: GroupRecord) {
    const configuration = configurations.find(group.id);
    if (configuration === undefined) return { ...identity(group), enabled: false };
    const problem = configurations.problemOf(group.id);
    return {
      ...identity(group),
      enabled: true,
      ...viewConfiguration(configuration, saved.find(configuration.template)?.name),
      size: sizeOf(group.id),
      ...(problem === undefined ? {} : { problem }),
    };
  }

  /** Whoever asks after the answer finds the edge as it says. */
  async function change(
    group: GroupRecord,
    make: (before: Configuration | undefined) => Configuration,
  ): Promise<ReturnType<typeof identity>> {
    await configurations.set(group.id, make);
    await applyEdge();
    return identity(group);
  }

  return {
    list: (account) =>
      groups.catalogue
        .ofAccount(account)
        .filter(({ id }) => configurations.find(id) !== undefined)
        .map(view),
    get: (account, reference) => view(find(account, reference)),
    async set(account, reference, request, { template: wanted, roms }) {
      const group = find(account, reference);
      const { id, content } = saved.resolve("template", account, wanted);
      const resolved = await resolveRoms(surroundings, account, roms);
      try {
        mergeRoms(content.spec.roms, resolved.roms);
      } finally {
        resolved.release();
      }
      const madeOf = { template: id, roms: roms.map(withoutInstructions) };
      return change(group, (before) => configurationOf(request, madeOf, before?.policies ?? []));
    },
    async delete(account, reference) {
      const group = find(account, reference);
      required(group);
      await configurations.leave(group.id);
      await applyEdge();
      return identity(group);
    },
    async addPolicy(account, reference, policy) {
      const group = find(account, reference);
      return change(group, () => {
        const before = required(group);
        return { ...before, policies: withPolicy(before.policies, policy) };
      });
    },
    async deletePolicy(account, reference, name) {
      const group = find(account, reference);
      return change(group, () => {
        const before = required(group);
        const policies = before.policies.filter((policy) => policy.name !== name);
        if (policies.length < before.policies.length) return { ...before, policies };
        throw new UniError("not_found", messages.noSuch("policy", "name", name));
      });
    },
  };
}

/** The image is here now: how it was pulled is nobody's to see. */
const withoutInstructions = (part: RomPart): RomPart =>
  part.image === undefined || typeof part.image === "string" ? part : { ...part, image: part.image.url };
