import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import type { ImageRow } from "../store/images.ts";
import { canonicalIfAny } from "./reference.ts";
import { belongingTo, repositoryState, untaggedManifests } from "./repositories/untagged.ts";
import { findImage, imageOfIndex } from "./resolve-image.ts";
import type { Room } from "./room.ts";
import { sweepStore } from "./sweep.ts";

/**
 * A name takes itself away, and the image if it was the last; a digest takes the image and all its names. Other accounts than the
 * machine's take away their own names and their own hold on the image: it goes with the last who has it.
 */
export async function removeImage(
  room: Room,
  asked: string,
  inUse: (digest: Digest) => readonly string[],
): Promise<{ readonly removed: readonly string[]; readonly deleted: boolean }> {
  const text = (await imageOfIndex(room, asked)) ?? asked;
  const { tenant, all } = room;
  return room.catalogueQueue.run("catalogue", async () => {
    const other = await referenceWithoutImage(room, text);
    if (other !== undefined) {
      await removeReferences(room, [tenant.keyOf(other)]);
      await sweepStore(room);
      return { removed: [other], deleted: true };
    }
    const row = findImage(await room.catalogue.list(), text);
    const { digest } = row;
    const kept = (await all.catalogue.list()).find((each) => each.digest === digest)?.references ?? [];
    const own = row.references.filter((each) => kept.includes(tenant.keyOf(each)));
    const named = namedIn(row, text);
    const isTheirs =
      named === undefined ? own.length > 0 || (await tenant.holds(digest)) : own.includes(named);
    if (!isTheirs) throw notTheirs(text);
    const removed = named === undefined ? own : [named];
    if (named !== undefined && own.length > 1) {
      await removeReferences(room, [tenant.keyOf(named)]);
      await tenant.unshare(digest, removed);
      return { removed, deleted: false };
    }
    const takesAll = named === undefined && tenant.isMachine;
    const keys = takesAll ? kept : removed.map((each) => tenant.keyOf(each));
    const isNamed = kept.length > keys.length;
    if (!isNamed || !tenant.isMachine) checkUnused(row, text, inUse);
    await removeReferences(room, keys);
    await tenant.giveUp(digest);
    await tenant.unshare(digest, removed);
    const isLeft = isNamed || (!takesAll && (await tenant.isLeft(digest)));
    if (!isLeft) await all.catalogue.delete(digest);
    await sweepStore(room);
    return { removed, deleted: !isLeft || !tenant.isMachine };
  });
}

/** Images of an account that it has no name for and does not use, are its no more; the bytes that became free. */
export async function pruneOwn(room: Room, inUse: (digest: Digest) => readonly string[]): Promise<number> {
  return room.catalogueQueue.run("catalogue", async () => {
    const { tenant, all } = room;
    for (const { digest, references } of await room.catalogue.list()) {
      const isKept = references.length > 0 || room.leases.has(digest) || inUse(digest).length > 0;
      if (isKept || !(await tenant.holds(digest))) continue;
      await tenant.giveUp(digest);
      const kept = (await all.catalogue.list()).find((each) => each.digest === digest)?.references ?? [];
      if (kept.length === 0 && !(await tenant.isLeft(digest))) await all.catalogue.delete(digest);
    }
    return sweepStore(room);
  });
}

/** What is no image, or none yet, is removed by its name alone. */
async function referenceWithoutImage({ all, tenant }: Room, text: string): Promise<string | undefined> {
  const reference = canonicalIfAny(text);
  if (reference === undefined) return undefined;
  const row = await all.repositories.reference(tenant.keyOf(reference));
  return row?.digest === null ? reference : undefined;
}

/** As they are kept; with what was pushed for these names and no other name of the same repositories needs. */
async function removeReferences({ all }: Room, references: readonly string[]): Promise<void> {
  for (const reference of references) {
    const row = await all.repositories.reference(reference);
    await all.catalogue.removeReference(reference);
    if (row === undefined) continue;
    const state = await repositoryState({ all });
    const own = belongingTo(row.target, state.links);
    const repository = reference.slice(0, reference.lastIndexOf(":"));
    const left = untaggedManifests(state).filter(
      (each) => each.repository === repository && own.has(each.digest),
    );
    await all.repositories.remove(
      repository,
      "manifest",
      left.map(({ digest }) => digest),
    );
  }
}

const notTheirs = (text: string): UniError =>
  new UniError(
    "not_allowed",
    `remove image "${text}": it is for everybody, and the machine's account has it`,
    {
      hint: "Names of your own can be removed.",
    },
  );

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
