/** What images take of the disk: what several of them share, and what a prune would free. */
import type { Digest } from "@uni/contract/ids";
import type { ImageRow } from "../store/images.ts";
import type { ImagesUsage } from "./port.ts";
import type { Room } from "./room.ts";
import { freshMs } from "./sweep.ts";

export function imagesUsage(room: Room, inUse: (digest: Digest) => readonly string[]): Promise<ImagesUsage> {
  return room.catalogueQueue.run("catalogue", async () => {
    const rows = await room.all.catalogue.list();
    const staying = rows.filter(
      ({ digest, references }) =>
        references.length > 0 || room.leases.has(digest) || inUse(digest).length > 0,
    );
    const [blobs, roots] = [await room.blobs.sizes(), await room.roots.sizes()];
    const neededBlobs = await neededBeside(room, staying);
    const neededRoots = new Set(staying.map(({ root }) => root));
    const shared = sharedBlobs(rows);
    return {
      roots: {
        count: rows.length,
        reclaimableBytes: sum(roots, (key) => !neededRoots.has(key) && !room.leases.has(key)),
      },
      blobs: {
        count: blobs.size,
        sharedBytes: sum(blobs, (digest) => shared.has(digest)),
        reclaimableBytes: sum(blobs, (digest) => !neededBlobs.has(digest) && !room.leases.has(digest)),
      },
    };
  });
}

function sum<Key>(sizes: ReadonlyMap<Key, number>, counts: (key: Key) => boolean): number {
  let bytes = 0;
  for (const [key, size] of sizes) if (counts(key)) bytes += size;
  return bytes;
}

/** As `Repositories.needed` has it, but without removing a row. */
async function neededBeside(room: Room, staying: readonly ImageRow[]): Promise<ReadonlySet<Digest>> {
  const cutoff = room.clock.now() - freshMs;
  const contents = await room.all.repositories.contents();
  const { names } = await room.all.repositories.links();
  const namesOf = Map.groupBy(names, ({ manifest }) => manifest);
  const needed = new Set<Digest>();
  const pending: Digest[] = [
    ...staying.flatMap(({ blobs }) => blobs),
    ...(await room.all.catalogue.references()).map(({ target }) => target),
    ...contents
      .filter(({ kind, since }) => kind === "manifest" || since > cutoff)
      .map(({ digest }) => digest),
  ];
  for (let digest = pending.pop(); digest !== undefined; digest = pending.pop()) {
    if (needed.has(digest)) continue;
    needed.add(digest);
    for (const named of namesOf.get(digest) ?? []) pending.push(named.digest);
  }
  return needed;
}

function sharedBlobs(rows: readonly ImageRow[]): ReadonlySet<Digest> {
  const once = new Set<Digest>();
  const shared = new Set<Digest>();
  for (const blob of rows.flatMap(({ blobs }) => [...new Set(blobs)])) {
    if (once.has(blob)) shared.add(blob);
    once.add(blob);
  }
  return shared;
}
