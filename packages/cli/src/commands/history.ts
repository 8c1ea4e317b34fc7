import type { ImageLayer } from "@uni/contract/rpc";
import type { CommandModule } from "../define.ts";
import { renderTable } from "../render/table.ts";
import { formatAgo, formatBytes } from "../render/units.ts";
import { nowMs } from "../time.ts";

/** Builders put a shell and bookkeeping before the instruction that somebody wrote. */
function instructionOf({ created_by = "" }: ImageLayer): string {
  const text = created_by.replaceAll(/\s+/g, " ").trim();
  return text.replace(/^\/bin\/sh -c #\(nop\) */, "").replace(/^\/bin\/sh -c /, "RUN ");
}

export const history: CommandModule = {
  examples: ["uni history hello", "uni history hello --no-trunc", "uni history hello -o json"],
  define(command, act) {
    command
      .argument("<image>", "image")
      .option("--no-trunc", "show instructions whole")
      .action(
        act(async ({ client, out, signal }, reference: string, options: { trunc: boolean }) => {
          const layers = await client.call("Image.History", { reference }, { signal });
          const now = nowMs();
          const short = (text: string) =>
            options.trunc && text.length > 60 ? `${text.slice(0, 59)}…` : text;
          await out.show(layers, {
            text: () =>
              renderTable(
                layers,
                [
                  { title: "CREATED", value: ({ created_at }) => formatAgo(created_at, now) },
                  { title: "CREATED BY", value: (layer) => short(instructionOf(layer)), shrinkTo: 20 },
                  { title: "SIZE", value: ({ size_bytes }) => formatBytes(size_bytes), align: "right" },
                  { title: "COMMENT", value: ({ comment = "" }) => comment, shrinkTo: 12 },
                ],
                { width: options.trunc ? out.width : undefined },
              ),
            names: () => layers.flatMap(({ digest }) => (digest === undefined ? [] : [digest])),
          });
        }),
      );
  },
};
