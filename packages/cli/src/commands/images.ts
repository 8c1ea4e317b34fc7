import type { ImageDetail } from "@uni/contract/rpc";
import type { CommandModule } from "../define.ts";
import { renderTable } from "../render/table.ts";
import { formatAgo, formatBytes } from "../render/units.ts";
import { nowMs } from "../time.ts";

interface Row {
  readonly reference: string;
  readonly image: ImageDetail;
}

const shortDigest = (digest: string): string => digest.replace(/^sha256:/, "").slice(0, 12);

function rowsOf(images: readonly ImageDetail[]): Row[] {
  return images.flatMap((image) => {
    const references = image.references.length === 0 ? ["<none>"] : image.references;
    return references.map((reference) => ({ reference, image }));
  });
}

export const images: CommandModule = {
  examples: ["uni images", "uni images -q", "uni images -o json"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const list = await client.call("Image.List", {}, { signal });
        const now = nowMs();
        await out.show(list, {
          text: () =>
            renderTable(
              rowsOf(list),
              [
                { title: "IMAGE", value: ({ reference }) => reference, shrinkTo: 20 },
                { title: "DIGEST", value: ({ image }) => shortDigest(image.digest) },
                { title: "CREATED", value: ({ image }) => formatAgo(image.created_at, now) },
                { title: "SIZE", value: ({ image }) => formatBytes(image.size_bytes), align: "right" },
              ],
              { width: out.width },
            ),
          names: () =>
            rowsOf(list).map(({ reference, image }) => (reference === "<none>" ? image.digest : reference)),
        });
      }),
    );
  },
};
