import type { CommandModule } from "../../define.ts";
import { renderTable } from "../../render/table.ts";

export const registriesLs: CommandModule = {
  examples: ["uni registries ls", "uni registries ls -o json"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const list = await client.call("Registry.List", {}, { signal });
        await out.show(list, {
          text: () =>
            renderTable(
              list,
              [
                { title: "REGISTRY", value: ({ registry }) => registry, shrinkTo: 16 },
                { title: "USER", value: ({ username }) => username, shrinkTo: 8 },
                { title: "SINCE", value: ({ updated_at }) => updated_at.slice(0, "2026-01-31".length) },
              ],
              { width: out.width },
            ),
          names: () => list.map(({ registry }) => registry),
        });
      }),
    );
  },
};
