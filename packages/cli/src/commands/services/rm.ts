import type { ServiceGroup } from "@uni/contract/resources/service-group";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { referenceOf } from "../../reference.ts";

export const servicesRm: CommandModule = {
  examples: ["uni services rm shop"],
  define(command, act) {
    command.argument("<names...>", "service groups").action(
      act(async (context, names: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          names,
          async (name) => {
            const body = [referenceOf(name)];
            const envelope = await client.operation("deleteServiceGroups", { body }, { signal });
            const [gone] = envelopeItems<ServiceGroup>(envelope, "service_groups", `removing '${name}'`);
            return { uuid: gone?.uuid, name: gone?.name };
          },
          (_gone, name) => `${name}\n`,
        );
      }),
    );
  },
};
