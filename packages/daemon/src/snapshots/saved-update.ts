/** One change of one property of a template or checkpoint; `value` is checked already. Pure. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { SavedUpdate } from "@uni/contract/resources/saved-instance";
import type { SavedContent } from "./record.ts";

export function updateSaved(content: SavedContent, { prop, op, value }: SavedUpdate): SavedContent {
  switch (prop) {
    case "tags":
      return withSpec(content, {
        tags: tagsAfter(content.spec.tags, op, value as readonly string[] | undefined),
      });
    case "delete_lock":
      return withSpec(content, { deleteLock: op === "set" && value === true });
    case "autokill": {
      const { time_ms = 0 } = op === "set" ? (value as { time_ms?: number }) : {};
      return { ...content, autokillMs: time_ms };
    }
    default:
      return prop satisfies never;
  }
}

const withSpec = (content: SavedContent, change: Partial<SavedContent["spec"]>): SavedContent => ({
  ...content,
  spec: { ...content.spec, ...change },
});

function tagsAfter(
  before: readonly string[],
  op: SavedUpdate["op"],
  value: readonly string[] | undefined,
): readonly string[] {
  if (op === "set") return [...new Set(value)];
  if (op === "del") return value === undefined ? [] : before.filter((tag) => !value.includes(tag));
  const after = [...new Set([...before, ...(value ?? [])])];
  if (after.length <= limits.tags) return after;
  throw new UniError("too_many", `set ${after.length} tags: at most ${limits.tags} are allowed`);
}
