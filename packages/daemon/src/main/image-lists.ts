/** Images as the REST API lists them: who has them, what they are called there, and which are pinned. */
import type { AccountId, Digest } from "@uni/contract/ids";
import type { Image as WireImage } from "@uni/contract/resources/image";
import type { ImageFilter } from "../api/images-port.ts";
import type { Image } from "../images/port.ts";

export interface ImageLists {
  /** Who has an image, as far as whoever asks may know. */
  readonly accountsOf: (digest: Digest) => Promise<readonly AccountId[]>;
  readonly isPinned: (digest: Digest) => boolean;
  readonly nameOf: (account: AccountId) => string | undefined;
}

export const listImages = (
  images: readonly Image[],
  filter: ImageFilter,
  { tagsOf, ...lists }: ImageLists & { readonly tagsOf: (image: Image) => string[] },
): Promise<readonly WireImage[]> =>
  Promise.all(
    images
      .filter((image) => fits(image, filter))
      .map(async (image) => ({ ...(await toWire(image, lists)), tags: tagsOf(image) })),
  );

export const namesAndDigest = ({ references, digest }: Image): string[] => [...references, digest];
export const bareTags = ({ references }: Image): string[] => [...new Set(references.map(tagOf))];

const tagOf = (reference: string): string => reference.slice(reference.lastIndexOf(":") + 1);

/** A tag is given bare ("latest") or with its name ("hello:latest"). */
const fits = ({ digest, references }: Image, filter: ImageFilter): boolean =>
  (filter.digest === undefined || filter.digest === digest) &&
  (filter.tag === undefined || references.some((each) => each === filter.tag || tagOf(each) === filter.tag));

async function toWire(image: Image, { accountsOf, isPinned, nameOf }: ImageLists): Promise<WireImage> {
  const name = image.references[0]?.replace(/:[^:/]+$/, "") ?? "image";
  return {
    url: `${name}@${image.digest}`,
    created_at: image.createdAt.toISOString(),
    initrd_or_rom: image.config.entrypoint.length + image.config.cmd.length === 0,
    size_in_bytes: image.sizeBytes,
    args: [...image.config.entrypoint, ...image.config.cmd],
    env: { ...image.config.env },
    users: (await accountsOf(image.digest)).flatMap((id) => nameOf(id) ?? []),
    ...(isPinned(image.digest) ? { persistent: true } : {}),
    digest: image.digest,
  };
}
