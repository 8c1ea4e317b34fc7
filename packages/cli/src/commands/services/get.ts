import type { ServiceGroup } from "@uni/contract/resources/service-group";
import { domainsText, servicesText } from "../../render/services.ts";
import { renderFields } from "../../render/table.ts";
import { getCommand } from "../../resource-commands.ts";

const textOf = (group: ServiceGroup): string =>
  renderFields([
    ["name", group.name],
    ["uuid", group.uuid],
    ["domains", domainsText(group.domains)],
    ["ports", servicesText(group.services)],
    ["limits", `soft ${group.soft_limit}, hard ${group.hard_limit}`],
    ["instances", group.instances?.map(({ name }) => name).join(" ")],
    ["persistent", group.persistent ? "yes" : "no"],
    ["autokill", group.autokill === undefined ? undefined : `${group.autokill.time_ms ?? 0} ms`],
    ["created", group.created_at],
  ]);

export const servicesGet = getCommand({
  examples: ["uni services get shop", "uni services get shop -o json"],
  many: "service groups",
  operation: "getServiceGroups",
  key: "service_groups",
  text: textOf,
});
