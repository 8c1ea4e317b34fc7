import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import type { ImageRow } from "../store/images.ts";
import { canonicalIfAny } from "./reference.ts";
import { belongingTo, repositoryState, untaggedManifests } from "./repositories/untagged.ts";
import { findImage, imageOfIndex } from "./resolve-image.ts";
import type { Room } from "./room.ts";
import { sweepStore } from "./sweep.ts";

/** A name takes itself away, and the image if it was the last; a digest takes the image and all its names. */
export async function removeImage(
  room: Room,
  asked: string,
  inUse: (digest: Digest) => readonly string[],
): Promise<{ readonly removed: readonly string[]; readonly deleted: boolean }> {
  const text = (await imageOfIndex(room, asked)) ?? asked;
  return room.catalogueQueue.run("catalogue", async () => {
    const other = await referenceWithoutImage(room, text);
    if (other !== undefined) {
      await removeReferences(room, [other]);
      await sweepStore(room);
      return { removed: [other], deleted: true };
    }
    const row = findImage(await room.catalogue.list(), text);
    const reference = namedIn(row, text);
    if (reference !== undefined && row.references.length > 1) {
      await removeReferences(room, [reference]);
      return { removed: [reference], deleted: false };
    }
    checkUnused(row, text, inUse);
    await removeReferences(room, row.references);
    await room.catalogue.delete(row.digest);
    await sweepStore(room);
    return { removed: row.references, deleted: true };
  });
}

/** What is no image, or none yet, is removed by its name alone. */
async function referenceWithoutImage(room: Room, text: string): Promise<string | undefined> {
  const reference = canonicalIfAny(text);
  const row = reference === undefined ? undefined : await room.repositories.reference(reference);
  return row?.digest === null ? row.reference : undefined;
}

/** With what was pushed for these names and no other name of the same repositories needs. */
async function removeReferences(room: Room, references: readonly string[]): Promise<void> {
  for (const reference of references) {
    const row = await room.repositories.reference(reference);
    await room.catalogue.removeReference(reference);
    if (row === undefined) continue;
    const state = await repositoryState(room);
    const own = belongingTo(row.target, state.links);
    const repository = reference.slice(0, reference.lastIndexOf(":"));
    const left = untaggedManifests(state).filter(
      (each) => each.repository === repository && own.has(each.digest),
    );
    await room.repositories.remove(
      repository,
      "manifest",
      left.map(({ digest }) => digest),
    );
  }
}

/** The image's reference that the text spells; undefined where it is a digest or a part of one. */
function namedIn(row: ImageRow, text: string): string | undefined {
  const reference = canonicalIfAny(text);
  return row.references.find((each) => each === reference);
}

function checkUnused(row: ImageRow, text: string, inUse: (digest: Digest) => readonly string[]): void {
  const users = inUse(row.digest);
  if (users.length === 0) return;
  const some = users.slice(0, 5).join(", ");
  const list = users.length > 5 ? `${some} and ${users.length - 5} more` : some;
  throw new UniError("in_use", `remove image "${text}": it is used by ${list}`, {
    hint: "Remove instances first, with uni rm; uni image unpin lets a pin go.",
  });
}
