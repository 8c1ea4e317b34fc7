import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import type { ImageRow } from "../store/images.ts";
import { canonicalReference, parseReference } from "./reference.ts";
import { findImage } from "./resolve-image.ts";
import type { Room } from "./room.ts";
import { sweepStore } from "./sweep.ts";

/** A name takes itself away, and the image if it was the last; a digest takes the image and all its names. */
export function removeImage(
  room: Room,
  text: string,
  inUse: (digest: Digest) => readonly string[],
): Promise<{ readonly removed: readonly string[]; readonly deleted: boolean }> {
  return room.catalogueQueue.run("catalogue", async () => {
    const row = findImage(await room.catalogue.list(), text);
    const reference = namedIn(row, text);
    if (reference !== undefined && row.references.length > 1) {
      await room.catalogue.removeReference(reference);
      return { removed: [reference], deleted: false };
    }
    checkUnused(row, text, inUse);
    await room.catalogue.delete(row.digest);
    await sweepStore(room);
    return { removed: row.references, deleted: true };
  });
}

/** The image's reference that the text spells; undefined where it is a digest or a part of one. */
function namedIn(row: ImageRow, text: string): string | undefined {
  try {
    if (parseReference(text).digest !== undefined) return undefined;
    const reference = canonicalReference(text);
    return row.references.find((each) => each === reference);
  } catch {
    return undefined;
  }
}

function checkUnused(row: ImageRow, text: string, inUse: (digest: Digest) => readonly string[]): void {
  const users = inUse(row.digest);
  if (users.length === 0) return;
  const some = users.slice(0, 5).join(", ");
  const list = users.length > 5 ? `${some} and ${users.length - 5} more` : some;
  throw new UniError("in_use", `remove image "${text}": it is used by ${list}`, {
    hint: "Remove those instances first, with uni rm.",
  });
}
