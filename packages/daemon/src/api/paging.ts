/** What lists of all kinds read from a request: a page, or the references to look up. */
import { UniError } from "@uni/contract/errors";
import type { NameOrUuid } from "@uni/contract/resources/reference";
import type { PageQuery } from "@uni/contract/service-operations";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import type { Page, Reference } from "./port.ts";
import { queryReferences, readReference, readUuid } from "./references.ts";

export function readPage(query: Static<typeof PageQuery>): Page {
  return {
    count: query.count === undefined || query.count === 0 ? Number.POSITIVE_INFINITY : query.count,
    from: query.from === undefined ? undefined : readCursor(query.from),
    order: query.order ?? "asc",
  };
}

/** All of them must be there. */
export const readTags = ({ tags = [] }: { readonly tags?: readonly string[] }): string[] =>
  tags.flatMap((tag) => tag.split(",")).filter((tag) => tag !== "");

export function askedReferences(call: Call): Reference[] {
  if (call.body === undefined) return queryReferences(call.query);
  return (call.body as readonly NameOrUuid[]).map(readReference);
}

export const basics = ({ uuid, name }: { readonly uuid: string; readonly name: string }) => ({ uuid, name });

/** A uuid or a time; an unknown uuid is no error, for what it named may be gone since the page before. */
function readCursor(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    if (Number.isNaN(Date.parse(text)))
      throw new UniError("invalid_value", `Member 'from' is no time: '${text}'`);
    return new Date(Date.parse(text)).toISOString();
  }
  return readUuid(text);
}
