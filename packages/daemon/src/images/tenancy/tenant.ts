/** On whose behalf the room works, and what of the store is theirs. */
import type { AccountId, Digest } from "@uni/contract/ids";
import type { Holder, NameScope } from "../../store/blob-holders.ts";

/** Who may have which blob; see store/blob-holders.ts. */
export interface Holders {
  add(holders: readonly Holder[], digests: readonly Digest[], now: number): Promise<void>;
  /** A document and all that it leads to; of that only what one of `heldBy` holds, unless that is undefined. */
  addBelow(
    holders: readonly Holder[],
    top: Digest,
    from: { readonly heldBy: readonly Holder[] | undefined; readonly now: number },
  ): Promise<void>;
  holds(any: readonly Holder[], digest: Digest): Promise<boolean>;
  /** Images of which one of these holds each part. */
  imagesOf(any: readonly Holder[]): Promise<ReadonlySet<Digest>>;
  /** Documents that a reference means and one of these holds. */
  targetsOf(any: readonly Holder[]): Promise<ReadonlySet<Digest>>;
  of(digest: Digest): Promise<readonly Holder[]>;
  /** Unless a name of the scope leads to it. */
  remove(holder: Holder, digest: Digest, scope: NameScope): Promise<void>;
}

export interface Tenant {
  readonly account: AccountId;
  /** The machine's own account sees everything. */
  readonly isMachine: boolean;
  /** How a name of theirs is kept. */
  keyOf(name: string): string;
  /** The blob is here, and they may have it without bringing it: to know its digest is not enough. */
  has(digest: Digest): Promise<boolean>;
  /** The blob is here, and they may read it. */
  sees(digest: Digest): Promise<boolean>;
  /** They have brought these. */
  keep(digests: readonly Digest[]): Promise<void>;
  /** Whoever has what is theirs under that name has the document, with all of it that they have. */
  share(name: string, document: Digest): Promise<void>;
  /** They brought the image, or were given it: it is not only there for everybody. */
  holds(image: Digest): Promise<boolean>;
  /** They give it up; unless, of another account than the machine's, a name leads to it. */
  giveUp(image: Digest): Promise<void>;
  /** These names led to it and do no more: it may be for everybody no more. */
  unshare(image: Digest, removed: readonly string[]): Promise<void>;
  /** Some account has the image, or uses it. */
  isLeft(image: Digest): Promise<boolean>;
}
