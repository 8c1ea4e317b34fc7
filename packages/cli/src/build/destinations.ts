import { UniError } from "@uni/contract/errors";
import { isOutputFormat } from "../globals.ts";
import { siblingReference } from "./reference.ts";

/** Where images go besides the store. */
export interface Destinations {
  readonly archives: readonly string[];
  readonly references: readonly string[];
}

/** `-o` of a build: a FILE.tar, a reference with a slash in it, or a format of what is printed. */
export function readDestinations(outputs: readonly string[] = []): Destinations {
  const places = outputs.filter((each) => !isOutputFormat(each));
  const archives = places.filter((each) => each.endsWith(".tar"));
  const references = places.filter((each) => !archives.includes(each));
  const unclear = references.find((each) => !each.includes("/"));
  if (unclear !== undefined) {
    throw new UniError(
      "invalid_value",
      `reading -o ${unclear}: it is neither table, json nor yaml, no FILE.tar, and names no registry`,
      { hint: "Write a registry's reference as registry.example.com/team/web:1.2." },
    );
  }
  return { archives, references };
}

/** ROMs are pushed beside the image that they were built with. */
export const destinationOf = (reference: string, suffix: string | undefined): string =>
  suffix === undefined ? reference : siblingReference(reference, suffix);
