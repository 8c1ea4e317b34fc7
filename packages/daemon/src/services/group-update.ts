import type { MutableOperation } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { GroupAutokill, ServiceGroupUpdate } from "@uni/contract/resources/service-group";
import type { Service, ServiceDomain } from "@uni/contract/resources/service-parts";
import { readDomainName } from "./domains.ts";
import { checkLimits, type GroupSurroundings, readDomains } from "./group-spec.ts";
import { readServices } from "./port-rules.ts";
import type { GroupDomain, GroupService, GroupSpec } from "./record.ts";

/** The specification after these changes; throws when the result would break a rule. */
export function updateGroup(
  spec: GroupSpec,
  updates: readonly ServiceGroupUpdate[],
  surroundings: GroupSurroundings,
): GroupSpec {
  const changed = updates.reduce((before, update) => applyOne(before, update, surroundings), spec);
  checkLimits(changed);
  return changed;
}

function applyOne(
  spec: GroupSpec,
  { prop, op, value }: ServiceGroupUpdate,
  surroundings: GroupSurroundings,
): GroupSpec {
  switch (prop) {
    case "services":
      return { ...spec, services: changeServices(spec.services, op, value as readonly Service[]) };
    case "domains":
      return {
        ...spec,
        domains: changeDomains(spec.domains, op, value as readonly ServiceDomain[], surroundings),
      };
    case "soft_limit":
      return { ...spec, softLimit: (value as number | undefined) ?? limits.groupLimit.defaultSoft };
    case "hard_limit":
      return { ...spec, hardLimit: (value as number | undefined) ?? limits.groupLimit.defaultHard };
    case "autokill":
      return { ...spec, autokillMs: (value as GroupAutokill | undefined)?.time_ms ?? 0 };
    default:
      return prop satisfies never;
  }
}

function changeServices(
  before: readonly GroupService[],
  op: MutableOperation,
  given: readonly Service[],
): readonly GroupService[] {
  switch (op) {
    case "set":
      return readServices(given);
    case "add": {
      const added = readServices(given);
      const twice = added.find(({ port }) => before.some((service) => service.port === port));
      if (twice !== undefined)
        throw new UniError("already_exists", `Port ${twice.port} is published already`);
      return [...before, ...added];
    }
    case "del": {
      const missing = given.find(({ port }) => !before.some((service) => service.port === port));
      if (missing !== undefined) throw new UniError("not_found", `Port ${missing.port} is not published`);
      const left = before.filter(({ port }) => !given.some((service) => service.port === port));
      if (left.length === 0)
        throw new UniError("invalid_value", "A service group needs at least one service");
      return left;
    }
    default:
      return op satisfies never;
  }
}

function changeDomains(
  before: readonly GroupDomain[],
  op: MutableOperation,
  given: readonly ServiceDomain[],
  surroundings: GroupSurroundings,
): readonly GroupDomain[] {
  switch (op) {
    case "set":
      return someOf(readDomains(given, surroundings));
    case "add": {
      const added = readDomains(given, surroundings);
      const twice = added.find(({ name }) => before.some((domain) => domain.name === name));
      if (twice !== undefined)
        throw new UniError("already_exists", `Domain '${twice.name}' is there already`);
      return [...before, ...added];
    }
    case "del": {
      const names = given.map(({ name }) => readDomainName(name, surroundings.nodeDomain));
      const missing = names.find((name) => !before.some((domain) => domain.name === name));
      if (missing !== undefined) throw new UniError("not_found", `Domain '${missing}' is not there`);
      return someOf(before.filter(({ name }) => !names.includes(name)));
    }
    default:
      return op satisfies never;
  }
}

function someOf(domains: readonly GroupDomain[]): readonly GroupDomain[] {
  if (domains.length > 0) return domains;
  throw new UniError("invalid_value", "A service group needs at least one domain");
}
