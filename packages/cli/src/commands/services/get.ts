import type { ServiceGroup } from "@uni/contract/resources/service-group";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { queryReference } from "../../reference.ts";
import { domainsText, servicesText } from "../../render/services.ts";
import { renderFields } from "../../render/table.ts";

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

export const servicesGet: CommandModule = {
  examples: ["uni services get shop", "uni services get shop -o json"],
  define(command, act) {
    command.argument("<names...>", "service groups").action(
      act(async (context, names: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          names,
          async (name) => {
            const envelope = await client.operation("getServiceGroups", queryReference(name), { signal });
            const [group] = envelopeItems<ServiceGroup>(envelope, "service_groups", `finding '${name}'`);
            return group as ServiceGroup;
          },
          textOf,
        );
      }),
    );
  },
};
