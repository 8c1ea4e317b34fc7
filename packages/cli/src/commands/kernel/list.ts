import type { CommandModule } from "../../define.ts";
import { renderTable } from "../../render/table.ts";
import { formatAgo, formatBytes } from "../../render/units.ts";
import { nowMs } from "../../time.ts";

const mostNames = 3;

function usersText(names: readonly string[]): string {
  const more = names.length - mostNames;
  const shown = names.slice(0, more > 0 ? mostNames : undefined).join(" ");
  return more > 0 ? `${shown} and ${more} more` : shown || "-";
}

export const kernelList: CommandModule = {
  examples: ["uni kernel list", "uni kernel list -o json"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const kernels = await client.call("Kernel.List", {}, { signal });
        const now = nowMs();
        await out.show(kernels, {
          text: () =>
            renderTable(
              kernels,
              [
                { title: "", value: ({ current }) => (current ? "*" : "") },
                { title: "VERSION", value: ({ version }) => version, shrinkTo: 20 },
                { title: "SOURCE", value: ({ source }) => source },
                { title: "INSTALLED", value: ({ installed_at }) => formatAgo(installed_at, now) },
                { title: "SIZE", value: ({ size_bytes }) => formatBytes(size_bytes), align: "right" },
                { title: "USED BY", value: ({ used_by = [] }) => usersText(used_by), shrinkTo: 8 },
              ],
              { width: out.width },
            ),
          names: () => kernels.map(({ version }) => version),
        });
      }),
    );
  },
};
