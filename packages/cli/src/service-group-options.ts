/** The options of `run` and `create` that put an instance into a service group. */
import { UniError } from "@uni/contract/errors";
import type { Service, ServiceDomain, ServiceGroupPart } from "@uni/contract/resources/service-parts";
import type { Command } from "commander";
import { parseCount } from "./parse/count.ts";
import { collectServiceDomains } from "./parse/service-domain.ts";
import { referenceOf } from "./reference.ts";

export interface ServiceGroupOptions {
  readonly service?: string;
  readonly domain?: readonly ServiceDomain[];
  readonly softLimit?: number;
  readonly hardLimit?: number;
}

const limit = parseCount(1, 65_535);

export function addLimitOptions(command: Command): Command {
  return command
    .option("--soft-limit <count>", "requests in flight per instance before another one is woken", limit)
    .option("--hard-limit <count>", "requests in flight per instance, beyond which all are refused", limit);
}

export function addServiceGroupOptions(command: Command): Command {
  command
    .option("--service <name>", "join this service group")
    .option(
      "--domain <name>",
      "name of its services: a label, or a full name with its final dot, =CERTIFICATE if you like; repeatable",
      collectServiceDomains,
    );
  return addLimitOptions(command);
}

/** Undefined: it is in no service group. */
export function serviceGroupOf(
  options: ServiceGroupOptions,
  services: readonly Service[],
): ServiceGroupPart | undefined {
  const { service, domain, softLimit, hardLimit } = options;
  const ofNewGroup = domain !== undefined || softLimit !== undefined || hardLimit !== undefined;
  if (service !== undefined) {
    if (!ofNewGroup && services.length === 0) return referenceOf(service);
    throw new UniError("exclusive", "reading the options: --service does not go with what makes a group", {
      hint: "Leave out --domain, --soft-limit, --hard-limit and the services of -p, or --service.",
    });
  }
  if (services.length === 0) {
    if (!ofNewGroup) return undefined;
    throw new UniError("malformed", "reading the options: --domain and limits need a service", {
      hint: "Publish one: -p 443:8080",
    });
  }
  return {
    services: [...services],
    ...(domain === undefined ? {} : { domains: [...domain] }),
    ...(softLimit === undefined ? {} : { soft_limit: softLimit }),
    ...(hardLimit === undefined ? {} : { hard_limit: hardLimit }),
  };
}
