import type { InstanceHistory } from "@uni/contract/resources/instance-results";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { queryReference } from "../../reference.ts";
import { renderTable } from "../../render/table.ts";
import { formatAgo } from "../../render/units.ts";
import { nowMs } from "../../time.ts";

export const checkpointHistory: CommandModule = {
  examples: ["uni checkpoint history web"],
  define(command, act) {
    command.argument("<name>", "instance").action(
      act(async ({ client, out, signal }, name: string) => {
        const envelope = await client.operation("getInstanceHistory", queryReference(name), { signal });
        const [found] = envelopeItems<InstanceHistory>(
          envelope,
          "instances",
          `reading the history of '${name}'`,
        );
        const history = found?.history ?? [];
        const now = nowMs();
        await out.show(history, {
          text: () =>
            renderTable(
              history,
              [
                { title: "CHECKPOINT", value: (each) => each.name, shrinkTo: 12 },
                { title: "CREATED", value: ({ created_at }) => formatAgo(created_at, now) },
              ],
              { width: out.width },
            ),
          names: () => history.map((each) => each.name),
        });
      }),
    );
  },
};
