import type { Instance } from "@uni/contract/resources/instance";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { parseSeconds } from "../../parse/time-span.ts";
import { withSpinner } from "../../progress.ts";
import { referenceOf } from "../../reference.ts";
import { autokillOf } from "../../saved-commands.ts";

export const templateCreate: CommandModule = {
  examples: ["uni template create base", "uni template create --autokill 7d base"],
  define(command, act) {
    command
      .argument("<names...>", "instances, which become templates")
      .option("--autokill <span>", "remove it once it has not been used for so long", parseSeconds)
      .action(
        act(async (context, names: string[], { autokill }: { readonly autokill?: number }) => {
          const { client, out, signal } = context;
          return withSpinner(out, "making templates", () =>
            forEachItem(
              context,
              names,
              async (name) => {
                const more = autokill === undefined ? {} : { autokill: autokillOf(autokill) };
                const body = [{ ...referenceOf(name), timeout_s: -1, ...more }];
                const envelope = await client.operation("createTemplateInstances", { body }, { signal });
                const [made] = envelopeItems<Instance>(envelope, "instances", `making '${name}' a template`);
                return { uuid: made?.uuid, name: made?.name };
              },
              ({ name }) => `${name}\n`,
            ),
          );
        }),
      );
  },
};
