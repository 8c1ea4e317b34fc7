import type { Digest } from "@uni/contract/ids";
import { canonicalIfAny } from "../reference.ts";
import { findImage } from "../resolve-image.ts";
import type { Room } from "../room.ts";
import { sweepStore } from "../sweep.ts";
import { type Contents, contentsOf } from "./contents.ts";

export interface HeldContents extends AsyncDisposable {
  /** All that the reference means. */
  readonly whole: Contents;
  /** The image for this machine in it, if there is one. */
  readonly image: Contents | undefined;
}

/** Looked up and leased in one go; what was removed meanwhile goes at the end. */
export function holdContents(room: Room, reference: string): Promise<HeldContents> {
  return room.catalogueQueue.run("catalogue", async () => {
    const { target, digest } = await find(room, reference);
    const whole = await contentsOf(room, target);
    const image = digest === null || digest === target ? undefined : await contentsOf(room, digest);
    const names = [whole, ...(image === undefined ? [] : [image])].flatMap(({ documents, blobs }) =>
      [...documents, ...blobs].map((each) => each.digest),
    );
    const release = room.leases.hold(names);
    return {
      whole,
      image,
      [Symbol.asyncDispose]: () =>
        room.catalogueQueue.run("catalogue", async () => {
          release();
          const references = await room.all.catalogue.references();
          if (!references.some((each) => each.target === target)) await sweepStore(room);
        }),
    };
  });
}

/** A name means its target, of which there need be no image; a digest means the image. */
async function find(
  room: Room,
  text: string,
): Promise<{ readonly target: Digest; readonly digest: Digest | null }> {
  const name = canonicalIfAny(text);
  const named = (await room.catalogue.references()).find(({ reference }) => reference === name);
  if (named !== undefined) return named;
  const { digest } = findImage(await room.catalogue.list(), text);
  return { target: digest, digest };
}
