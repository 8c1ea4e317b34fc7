/**
 * What images there are and what they are called, and what is in which repository. A row is written when everything it names
 * lies in the blob store, so whatever no row names is garbage.
 */
import type { Digest } from "@uni/contract/ids";
import type { ImageRow, ReferenceRow } from "../store/images.ts";
import type { ContentKind, ContentRow, ManifestRow, ReferrersPage } from "../store/repositories.ts";

export interface Catalogue {
  /** Oldest first. */
  list(): Promise<readonly ImageRow[]>;
  /**
   * Inserts the image unless it is there, and makes the references point at it, wherever they pointed before. They mean the
   * first of `indexes`, each of which names the next and the last the image; without indexes the image itself. The indexes
   * stay as long as it.
   */
  put(
    row: Omit<ImageRow, "references">,
    references: readonly string[],
    indexes?: readonly Digest[],
  ): Promise<void>;
  /** Of images, and of what is no image, or not yet. */
  references(): Promise<readonly ReferenceRow[]>;
  removeReference(reference: string): Promise<void>;
  /** With all its references. */
  delete(digest: Digest): Promise<void>;
}

export interface RepositoryCatalogue {
  /** Keeps what a manifest or index is; by itself that makes it nobody's. */
  putDocument(row: ManifestRow): Promise<void>;
  /** Into a repository, and under a tag. */
  putManifest(put: {
    readonly repository: string;
    readonly tag: string | undefined;
    readonly row: ManifestRow;
    readonly now: number;
  }): Promise<void>;
  putBlob(repository: string, digest: Digest, now: number): Promise<void>;
  document(digest: Digest): Promise<ManifestRow | undefined>;
  /** Whether it is known as a document: what was pushed, or an index that led to an image. */
  isDocument(digest: Digest): Promise<boolean>;
  /** What of a manifest or index is in the store. */
  namesIn(manifest: Digest): Promise<readonly Digest[]>;
  reference(reference: string): Promise<ReferenceRow | undefined>;
  contains(repository: string, digest: Digest, kind: ContentKind): Promise<boolean>;
  /** One of the repository's manifests that name it. */
  namedBy(repository: string, digest: Digest): Promise<Digest | undefined>;
  tags(repository: string): Promise<readonly string[]>;
  /** In the order of their digests. */
  referrers(repository: string, page: ReferrersPage): Promise<readonly Omit<ManifestRow, "names">[]>;
  holdsAny(repository: string): Promise<boolean>;
  /** Of all repositories. */
  names(): Promise<readonly string[]>;
  contents(): Promise<readonly ContentRow[]>;
  links(): Promise<{
    readonly names: readonly { readonly manifest: Digest; readonly digest: Digest }[];
    readonly subjects: readonly { readonly digest: Digest; readonly subject: Digest }[];
  }>;
  /** A manifest takes the tags that mean it along. */
  remove(repository: string, kind: ContentKind, digests: readonly Digest[]): Promise<void>;
  /** What became of a target: all references to it lead to that image, or none does. */
  settle(target: Digest, outcome: { readonly digest: Digest } | { readonly failure: string }): Promise<void>;
  /** Targets of which no image was made, and nobody tried in vain. */
  waiting(): Promise<readonly Digest[]>;
  /** All digests that a row needs; blobs that came into a repository after `cutoff` are needed by that. Other rows go. */
  needed(cutoff: number): Promise<ReadonlySet<Digest>>;
}
