import type { AutoscaleGroup } from "@uni/contract/resources/autoscale";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { renderTable } from "../../render/table.ts";

export const scaleLs: CommandModule = {
  examples: ["uni scale ls", "uni scale ls -q"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const envelope = await client.operation("getAutoscaleConfigurations", {}, { signal });
        const groups = envelopeItems<AutoscaleGroup>(envelope, "service_groups", "listing what scales");
        await out.show(groups, {
          text: () =>
            renderTable(
              groups,
              [
                { title: "NAME", value: ({ name = "" }) => name, shrinkTo: 12 },
                { title: "MEMBERS", value: ({ size }) => `${size ?? 0}`, align: "right" },
                { title: "BOUNDS", value: ({ min_size, max_size }) => `${min_size}-${max_size}` },
                { title: "TEMPLATE", value: ({ template }) => template?.name ?? "gone", shrinkTo: 12 },
                {
                  title: "POLICIES",
                  value: ({ policies = [] }) => policies.map(({ name }) => name).join(" "),
                  shrinkTo: 12,
                },
                { title: "PROBLEM", value: ({ problem }) => problem ?? "", shrinkTo: 12 },
              ],
              { width: out.width },
            ),
          names: () => groups.map(({ name }) => name ?? ""),
        });
      }),
    );
  },
};
