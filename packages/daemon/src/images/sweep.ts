import type { Digest } from "@uni/contract/ids";
import { repositoryState, untaggedManifests } from "./repositories/untagged.ts";
import type { Room } from "./room.ts";

/** A blob that came into a repository waits this long for the manifest that names it. */
export const freshMs = 86_400_000;

/** Removes what no row names and no running work has leased; returns the bytes. */
export function sweep(
  room: Room,
  {
    inUse,
    untagged,
  }: { readonly inUse?: ((digest: Digest) => readonly string[]) | undefined; readonly untagged: boolean },
): Promise<number> {
  return room.catalogueQueue.run("catalogue", async () => {
    if (inUse !== undefined) await removeNameless(room, inUse);
    if (untagged) await removeUntagged(room);
    const partials = room.partials.sweep(room.clock.now());
    return partials + (await room.scratch.sweep()) + (await sweepStore(room));
  });
}

/** To be called within the catalogue queue, so that no row is written between reading the rows and removing files. */
export async function sweepStore(room: Room): Promise<number> {
  const roots = new Set((await room.all.catalogue.list()).map(({ root }) => root));
  const needed = await room.all.repositories.needed(room.clock.now() - freshMs);
  return (
    room.blobs.sweep((digest) => needed.has(digest) || room.leases.has(digest)) +
    room.roots.sweep((key) => roots.has(key) || room.leases.has(key))
  );
}

async function removeUntagged(room: Room): Promise<void> {
  const cutoff = room.clock.now() - freshMs;
  for (const { repository, digest, since } of untaggedManifests(await repositoryState(room))) {
    if (since <= cutoff) await room.all.repositories.remove(repository, "manifest", [digest]);
  }
}

async function removeNameless(room: Room, inUse: (digest: Digest) => readonly string[]): Promise<void> {
  for (const { digest, references } of await room.all.catalogue.list()) {
    const isHeld = references.length > 0 || room.leases.has(digest) || inUse(digest).length > 0;
    if (!isHeld) await room.all.catalogue.delete(digest);
  }
}
