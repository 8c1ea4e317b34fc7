import { UniError } from "@uni/contract/errors";
import { isUuid } from "@uni/contract/ids";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { printable } from "../../render/escape.ts";

export const imageUnpin: CommandModule = {
  examples: ["uni image unpin nginx", "uni image pins -q | xargs uni image unpin"],
  define(command, act) {
    command.argument("<pins...>", "images as they were pinned, or uuids of pins").action(
      act(async (context, names: string[]) => {
        const { client, signal } = context;
        const pins = names.every(isUuid) ? [] : await client.call("Image.Pins", {}, { signal });
        const uuidOf = (name: string): string => {
          const uuid = isUuid(name) ? name : pins.find(({ url }) => url === name)?.uuid;
          if (uuid !== undefined) return uuid;
          throw new UniError("not_found", `unpinning '${name}': it is not pinned`, {
            hint: "uni image pins lists what is.",
          });
        };
        return forEachItem(
          context,
          names,
          async (name) => {
            const body = [{ uuid: uuidOf(name) }];
            const envelope = await client.operation("unpinImages", { body }, { signal });
            return envelopeItems<{ uuid: string }>(envelope, "images", `unpinning '${name}'`)[0];
          },
          (_, name) => `${printable(name)}\n`,
        );
      }),
    );
  },
};
