import { UniError } from "@uni/contract/errors";
import { isDigest } from "@uni/contract/ids";
import type { ImageRow } from "../store/images.ts";
import { nearNames } from "./near-names.ts";
import { parseReference } from "./reference.ts";

const digestPrefix = /^(?:sha256:)?([0-9a-f]{6,64})$/;

/** The row that a name, a digest or a prefix of a digest means; names go before prefixes. */
export function findImage(rows: readonly ImageRow[], text: string): ImageRow {
  const prefix = digestPrefix.exec(text)?.[1];
  const named = isDigest(text) ? undefined : findByName(rows, text, prefix !== undefined);
  if (named !== undefined) return named;
  const matches =
    prefix === undefined ? [] : rows.filter(({ digest }) => digest.startsWith(`sha256:${prefix}`));
  const [match, ...others] = matches;
  if (match === undefined) throw notFound(rows, text);
  if (others.length === 0) return match;
  const list = matches.map(
    ({ digest, references }) => `${digest.slice(0, 23)} (${references[0] ?? "no name"})`,
  );
  throw new UniError("ambiguous", `find image "${text}": ${matches.length} images begin with it`, {
    hint: `Give more digits: ${list.slice(0, 5).join(", ")}.`,
  });
}

function findByName(rows: readonly ImageRow[], text: string, tolerant: boolean): ImageRow | undefined {
  try {
    const { name, tag, digest } = parseReference(text);
    if (digest !== undefined) return rows.find((row) => row.digest === digest);
    const wanted = `${name}:${tag ?? "latest"}`;
    return rows.find(({ references }) => references.includes(wanted));
  } catch (error) {
    // "sha256:0a1b2c" reads as a name with a tag, and 64 digits are no name.
    if (tolerant) return undefined;
    throw error;
  }
}

function notFound(rows: readonly ImageRow[], text: string): UniError {
  const near = nearNames(
    text,
    rows.flatMap(({ references }) => references),
  );
  const hint =
    near.length > 0
      ? `Did you mean ${near.join(" or ")}?`
      : rows.length === 0
        ? "There are no images yet: make one with uni build or uni load."
        : "uni images lists what there is.";
  return new UniError("image_not_found", `find image "${text.slice(0, 300)}": there is no such image`, {
    hint,
  });
}
