import type { CommandModule } from "../define.ts";
import { renderTable } from "../render/table.ts";

const shownTags = 5;

const tagsText = (tags: readonly string[], count: number): string => {
  const shown = tags.slice(0, shownTags).join(", ");
  return count > shownTags ? `${shown} and ${count - shownTags} more` : shown;
};

export const search: CommandModule = {
  examples: ["uni search web", "uni search team/ -q"],
  define(command, act) {
    command.argument("<term>", "part of a name").action(
      act(async ({ client, out, signal }, term: string) => {
        const found = await client.call("Image.Search", { term }, { signal });
        await out.show(found, {
          text: () =>
            renderTable(
              found,
              [
                { title: "NAME", value: ({ name }) => name, shrinkTo: 20 },
                { title: "TAGS", value: ({ tags, tag_count }) => tagsText(tags, tag_count), shrinkTo: 12 },
                { title: "DESCRIPTION", value: ({ description = "" }) => description, shrinkTo: 12 },
              ],
              { width: out.width },
            ),
          names: () => found.map(({ name }) => name),
        });
      }),
    );
  },
};
