import { basename, resolve } from "node:path";
import { UniError } from "@uni/contract/errors";

/** A reference made of the path's own name, for a build without -t. */
export function referenceFor(path: string): string {
  const name = nameFrom(basename(resolve(path)));
  if (name !== "") return name;
  throw new UniError("invalid_value", `building from ${path}: no name can be made of it`, {
    hint: "Name the image with -t NAME[:TAG].",
  });
}

/** What of a text can stand in a reference; nothing, perhaps. */
export const nameFrom = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");

/** `app:1` and `data`: `app-data:1`. */
export function siblingReference(reference: string, suffix: string): string {
  const colon = reference.lastIndexOf(":");
  const end = colon > reference.lastIndexOf("/") ? colon : reference.length;
  return `${reference.slice(0, end)}-${suffix}${reference.slice(end)}`;
}

/** The last part of its name. */
export const programName = (reference: string): string =>
  (reference.split("/").at(-1) ?? reference).replace(/[:@].*$/, "");
