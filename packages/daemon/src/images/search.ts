/** What repositories of this machine's registry are called like a word, best first. */
import type { FoundRepository } from "@uni/contract/rpc";
import type { ImageConfig } from "./port.ts";
import type { Room } from "./room.ts";

const description = "org.opencontainers.image.description";
const shownTags = 100;

export async function searchRepositories(room: Room, term: string): Promise<readonly FoundRepository[]> {
  const wanted = term.toLowerCase();
  const references = await room.catalogue.references();
  const rows = new Map((await room.catalogue.list()).map((row) => [row.digest, row]));
  const byName = Map.groupBy(references, ({ reference }) => reference.slice(0, reference.lastIndexOf(":")));
  return [...byName]
    .filter(([name]) => name.includes(wanted))
    .sort(([a], [b]) => rank(a, wanted) - rank(b, wanted) || (a < b ? -1 : 1))
    .map(([name, tagged]) => {
      const tags = tagged.map(({ reference }) => reference.slice(name.length + 1)).sort();
      const told = tagged
        .map(({ digest }) => (digest === null ? undefined : rows.get(digest)))
        .map((row) =>
          row === undefined ? undefined : (JSON.parse(row.config) as ImageConfig).labels[description],
        )
        .find((text) => text !== undefined && text !== "");
      return {
        name,
        tags: tags.slice(0, shownTags),
        tag_count: tags.length,
        ...(told === undefined ? {} : { description: told }),
      };
    });
}

/** The name itself, its last part, a part of it that begins so, anything else. */
function rank(name: string, wanted: string): number {
  const last = name.slice(name.lastIndexOf("/") + 1);
  if (name === wanted) return 0;
  if (last === wanted) return 1;
  return last.startsWith(wanted) ? 2 : 3;
}
