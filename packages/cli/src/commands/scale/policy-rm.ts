import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { groupUuid } from "./group-uuid.ts";

export const scalePolicyRm: CommandModule = {
  examples: ["uni scale policy rm shop busy"],
  define(command, act) {
    command
      .argument("<group>", "service group")
      .argument("<names...>", "policies")
      .action(
        act(async (context, group: string, names: string[]) => {
          const { client, signal } = context;
          const uuid = await groupUuid(context, group);
          return forEachItem(
            context,
            names,
            async (name) => {
              const id = "deleteAutoscaleConfigurationPolicyByName";
              const envelope = await client.operation(id, { uuid, name }, { signal });
              const [policy] = envelopeItems<{ name: string }>(envelope, "policies", `removing '${name}'`);
              return policy;
            },
            (_policy, name) => `${name}\n`,
          );
        }),
      );
  },
};
