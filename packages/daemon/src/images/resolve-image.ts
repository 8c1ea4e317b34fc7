import { UniError } from "@uni/contract/errors";
import { type Digest, isDigest } from "@uni/contract/ids";
import { nearHint } from "../base/near-names.ts";
import type { ImageRow } from "../store/images.ts";
import { type ImageReference, parseReference } from "./reference.ts";
import type { Room } from "./room.ts";

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

/** Like `findImage`; what was pushed and is no image yet is made one first. */
export async function resolveImage(room: Room, text: string): Promise<ImageRow> {
  const target = await unprepared(room, text);
  if (target === undefined) return findImage(await room.catalogue.list(), text);
  const digest = await room.prepared(target);
  return findImage(await room.catalogue.list(), digest);
}

/** The image that an index leads to which the text names by its digest, if there is one. */
export async function imageOfIndex(room: Room, text: string): Promise<Digest | undefined> {
  const digest = isDigest(text) ? text : readReference(text)?.digest;
  const index = digest === undefined ? undefined : await unprepared(room, digest);
  if (index === undefined) return undefined;
  return await room.prepared(index).catch(() => undefined);
}

/** The document that a text means which means that image: as its name has it, or the image itself. */
export async function targetOfImage(room: Room, text: string, digest: Digest): Promise<Digest> {
  const reference = readReference(text);
  const named = reference === undefined ? undefined : await room.repositories.reference(nameOf(reference));
  return named?.digest === digest ? named.target : digest;
}

/** A document that the text means, of which there is no image. */
async function unprepared(room: Room, text: string): Promise<Digest | undefined> {
  const reference = readReference(text);
  const digest = isDigest(text) ? text : reference?.digest;
  if (digest !== undefined) {
    if ((await room.catalogue.list()).some((row) => row.digest === digest)) return undefined;
    const isKnown = await room.repositories.isDocument(digest);
    return isKnown && (await room.tenant.sees(digest)) ? digest : undefined;
  }
  if (reference === undefined) return undefined;
  const named = await room.repositories.reference(nameOf(reference));
  return named?.digest === null ? named.target : undefined;
}

function readReference(text: string): ImageReference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}

const nameOf = ({ name, tag }: ImageReference): string => `${name}:${tag ?? "latest"}`;

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
  const hint = nearHint(
    text,
    rows.flatMap(({ references }) => references),
    rows.length === 0
      ? "There are no images yet: make one with uni build or uni load."
      : "uni images lists what there is.",
  );
  return new UniError("image_not_found", `find image "${text.slice(0, 300)}": there is no such image`, {
    hint,
  });
}
