import { isUuid } from "@uni/contract/ids";

/** A reference as the REST API takes it. */
export const referenceOf = (text: string): { readonly uuid: string } | { readonly name: string } =>
  isUuid(text) ? { uuid: text } : { name: text };

/** The same in a query, where references are lists. */
export const queryReference = (text: string): Readonly<Record<string, readonly string[]>> =>
  isUuid(text) ? { uuid: [text] } : { name: [text] };
