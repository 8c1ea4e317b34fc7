import type { ImageDetail } from "@uni/contract/rpc";
import { Option } from "commander";
import { type CommandModule, collect } from "../define.ts";
import { fitsPattern, parseImageFilter } from "../parse/image-filter.ts";
import { renderTable } from "../render/table.ts";
import { formatAgo, formatBytes } from "../render/units.ts";
import { nowMs } from "../time.ts";

interface Row {
  readonly reference: string;
  readonly image: ImageDetail;
}

interface ImagesOptions {
  readonly filter?: readonly string[];
  readonly digests?: boolean;
  readonly trunc?: boolean;
}

const nameless = "<none>";
const shortDigest = (digest: string): string => digest.replace(/^sha256:/, "").slice(0, 12);

/** A line for each name; those that a pattern leaves out are not shown, though their image is. */
function rowsOf(images: readonly ImageDetail[], patterns: readonly string[]): Row[] {
  const fits = (reference: string): boolean =>
    patterns.length === 0 || patterns.some((pattern) => fitsPattern(reference, pattern));
  return images.flatMap((image) => {
    const references = image.references.length === 0 && patterns.length === 0 ? [nameless] : image.references;
    return references.filter(fits).map((reference) => ({ reference, image }));
  });
}

export const images: CommandModule = {
  examples: [
    "uni images",
    "uni images 'team/*' --digests",
    "uni images --filter dangling=true -q | xargs uni rmi",
    "uni images --filter label=tier=web -o json",
  ],
  define(command, act) {
    command
      .argument("[patterns...]", "only images with such a name, NAME[:TAG] with * and ?")
      .option(
        "-f, --filter <key=value>",
        "only those it fits: dangling, reference, label, before, since; repeatable",
        collect,
      )
      .option("--digests", "show digests whole")
      .addOption(new Option("--no-trunc", "the same as --digests").hideHelp())
      .addOption(new Option("-a, --all", "changes nothing: all are shown").hideHelp())
      .action(
        act(async ({ client, out, signal }, patterns: string[], options: ImagesOptions) => {
          const filters = (options.filter ?? []).map(parseImageFilter);
          const all = await client.call("Image.List", {}, { signal });
          const list = all.filter((image) => filters.every((fits) => fits(image, all)));
          const rows = rowsOf(list, patterns);
          const now = nowMs();
          const digestOf = ({ image }: Row) =>
            options.digests === true || options.trunc === false ? image.digest : shortDigest(image.digest);
          await out.show([...new Set(rows.map(({ image }) => image))], {
            text: () =>
              renderTable(
                rows,
                [
                  { title: "IMAGE", value: ({ reference }) => reference, shrinkTo: 20 },
                  { title: "DIGEST", value: digestOf, leaveOut: 1 },
                  { title: "CREATED", value: ({ image }) => formatAgo(image.created_at, now) },
                  { title: "SIZE", value: ({ image }) => formatBytes(image.size_bytes), align: "right" },
                ],
                { width: out.width },
              ),
            names: () =>
              rows.map(({ reference, image }) => (reference === nameless ? image.digest : reference)),
          });
        }),
      );
  },
};
