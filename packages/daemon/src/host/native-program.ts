import { existsSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";

/** A program of `native/`, by its place in `build/`: beside the bundle, or found from this source file. */
export function findNativeProgram(name: string): string {
  const places = [name, `../../../../build/${name}`].map((place) => join(import.meta.dirname, place));
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new UniError("host_unfit", `find ${places[1]}: it is not built`, {
    hint: "Run ./scripts/setup, which builds it.",
  });
}
