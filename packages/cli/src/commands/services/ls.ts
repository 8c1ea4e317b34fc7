import type { ServiceGroup } from "@uni/contract/resources/service-group";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { servicesText } from "../../render/services.ts";
import { renderTable } from "../../render/table.ts";
import { formatAgo } from "../../render/units.ts";
import { nowMs } from "../../time.ts";

export const servicesLs: CommandModule = {
  examples: ["uni services ls", "uni services ls -q"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const envelope = await client.operation("getServiceGroups", {}, { signal });
        const groups = envelopeItems<ServiceGroup>(envelope, "service_groups", "listing service groups");
        const now = nowMs();
        await out.show(groups, {
          text: () =>
            renderTable(
              groups,
              [
                { title: "NAME", value: ({ name }) => name, shrinkTo: 12 },
                {
                  title: "DOMAINS",
                  value: ({ domains = [] }) => domains.map(({ fqdn }) => fqdn).join(" "),
                  shrinkTo: 20,
                },
                { title: "PORTS", value: ({ services }) => servicesText(services), shrinkTo: 16 },
                { title: "INSTANCES", value: ({ instances = [] }) => `${instances.length}`, align: "right" },
                { title: "CREATED", value: ({ created_at }) => formatAgo(created_at, now) },
              ],
              { width: out.width },
            ),
          names: () => groups.map(({ name }) => name),
        });
      }),
    );
  },
};
