import type { ImageRow } from "../store/images.ts";
import { findImage, resolveImage } from "./resolve-image.ts";
import type { Room } from "./room.ts";
import { sweepStore } from "./sweep.ts";

export interface HeldImage extends AsyncDisposable {
  readonly row: ImageRow;
}

/**
 * An image whose blobs and root stay while somebody works with them, also if it is removed meanwhile: then they go when the
 * work ends.
 */
export async function holdImage(room: Room, reference: string): Promise<HeldImage> {
  const { digest } = await resolveImage(room, reference);
  return room.catalogueQueue.run("catalogue", async () => {
    const row = findImage(await room.catalogue.list(), digest);
    const release = room.leases.hold([...row.blobs, row.root]);
    return {
      row,
      [Symbol.asyncDispose]: () =>
        room.catalogueQueue.run("catalogue", async () => {
          release();
          const isThere = (await room.all.catalogue.list()).some(({ digest }) => digest === row.digest);
          if (!isThere) await sweepStore(room);
        }),
    };
  });
}
