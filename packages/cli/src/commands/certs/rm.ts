import type { Certificate } from "@uni/contract/resources/certificate";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { referenceOf } from "../../reference.ts";

export const certsRm: CommandModule = {
  examples: ["uni certs rm star"],
  define(command, act) {
    command.argument("<names...>", "certificates").action(
      act(async (context, names: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          names,
          async (name) => {
            const body = [referenceOf(name)];
            const envelope = await client.operation("deleteCertificates", { body }, { signal });
            const [gone] = envelopeItems<Certificate>(envelope, "certificates", `removing '${name}'`);
            return { uuid: gone?.uuid, name: gone?.name };
          },
          (_gone, name) => `${name}\n`,
        );
      }),
    );
  },
};
