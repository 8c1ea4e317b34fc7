/** Images as the REST API lists them: who may use them, what they are called there, and which are pinned. */
import type { AccountId } from "@uni/contract/ids";
import type { Image as WireImage } from "@uni/contract/resources/image";
import type { ImageFilter } from "../api/images-port.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Image } from "../images/port.ts";
import type { AccountRow } from "../store/accounts.ts";

export interface ImageListDependencies {
  readonly pins: Pick<Pins, "all" | "holding">;
  /** The machine's own first: it may use all there is. */
  readonly accounts: readonly AccountRow[];
}

export function listFor(
  images: readonly Image[],
  { account, filter }: { readonly account: AccountId; readonly filter: ImageFilter },
  deps: ImageListDependencies,
): readonly WireImage[] {
  return images
    .filter((image) => usersOf(image, deps.accounts).some(({ id }) => id === account))
    .filter((image) => fits(image, filter))
    .map((image) => ({ ...toWire(image, deps), tags: [...image.references, image.digest] }));
}

export function listStore(
  images: readonly Image[],
  filter: ImageFilter,
  deps: ImageListDependencies,
): readonly WireImage[] {
  return images
    .filter((image) => fits(image, filter))
    .map((image) => ({ ...toWire(image, deps), tags: [...new Set(image.references.map(tagOf))] }));
}

/** An account has the names that begin with its own; what begins with nobody's name is for all. */
function usersOf({ references }: Image, accounts: readonly AccountRow[]): readonly AccountRow[] {
  const owners = references.map((reference) => accounts.find(({ name }) => reference.startsWith(`${name}/`)));
  if (owners.length === 0 || owners.includes(undefined)) return accounts;
  return accounts.filter((account, index) => index === 0 || owners.includes(account));
}

const tagOf = (reference: string): string => reference.slice(reference.lastIndexOf(":") + 1);

/** A tag is given bare ("latest") or with its name ("hello:latest"). */
const fits = ({ digest, references }: Image, filter: ImageFilter): boolean =>
  (filter.digest === undefined || filter.digest === digest) &&
  (filter.tag === undefined || references.some((each) => each === filter.tag || tagOf(each) === filter.tag));

function toWire(image: Image, { pins, accounts }: ImageListDependencies): WireImage {
  const name = image.references[0]?.replace(/:[^:/]+$/, "") ?? "image";
  return {
    url: `${name}@${image.digest}`,
    created_at: image.createdAt.toISOString(),
    initrd_or_rom: image.config.entrypoint.length + image.config.cmd.length === 0,
    size_in_bytes: image.sizeBytes,
    args: [...image.config.entrypoint, ...image.config.cmd],
    env: { ...image.config.env },
    users: usersOf(image, accounts).map((account) => account.name),
    ...(pins.holding(image.digest).length === 0 ? {} : { persistent: true }),
    digest: image.digest,
  };
}
