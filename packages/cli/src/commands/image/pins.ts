import type { CommandModule } from "../../define.ts";
import { renderTable } from "../../render/table.ts";
import { formatAgo } from "../../render/units.ts";
import { nowMs } from "../../time.ts";

export const imagePins: CommandModule = {
  examples: ["uni image pins", "uni image pins -q"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const pins = await client.call("Image.Pins", {}, { signal });
        const now = nowMs();
        await out.show(pins, {
          text: () =>
            renderTable(
              pins,
              [
                { title: "IMAGE", value: ({ url = "" }) => url, shrinkTo: 20 },
                { title: "STATE", value: ({ state = "" }) => state },
                { title: "SINCE", value: ({ created_at }) => formatAgo(created_at, now) },
                { title: "UUID", value: ({ uuid = "" }) => uuid },
              ],
              { width: out.width },
            ),
          names: () => pins.map(({ url = "" }) => url),
        });
      }),
    );
  },
};
