import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { referenceOf } from "../../reference.ts";

export const scaleRm: CommandModule = {
  examples: ["uni scale rm shop"],
  define(command, act) {
    command.argument("<names...>", "service groups").action(
      act(async (context, names: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          names,
          async (name) => {
            const body = [referenceOf(name)];
            const envelope = await client.operation("deleteAutoscaleConfigurations", { body }, { signal });
            const [group] = envelopeItems<{ name: string }>(envelope, "service_groups", `removing '${name}'`);
            return group;
          },
          (_group, name) => `${name}\n`,
        );
      }),
    );
  },
};
