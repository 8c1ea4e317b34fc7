/**
 * What is in repositories, for those who push and pull. A repository is there as soon as something is in it, and `NAME:TAG` is
 * the reference of an image. Nothing here asks who somebody is: that is the business of the one who calls.
 *
 * Pushing: `begin` an upload, `append` bytes as often as needed, `finish` it with the digest that they should have; then
 * `putManifest`, which wants everything in its repository that the document names. An upload outlives the daemon; a blob is seen
 * when it is whole. What is not found is `not_found`.
 */
import type { Readable } from "node:stream";
import type { AccountId, Digest } from "@uni/contract/ids";

export interface UploadOwner {
  readonly account: AccountId;
  readonly repository: string;
}

export interface Chunk {
  /** Where the sender believes to be; undefined: at the end. */
  readonly at: number | undefined;
  /** Undefined: until the stream ends. */
  readonly length: number | undefined;
}

export interface Appended {
  /** Bytes that the upload has now. */
  readonly size: number;
  /** False: the chunk does not begin where the upload ends, and nothing of it was taken. */
  readonly inOrder: boolean;
}

export interface BlobContent {
  readonly size: number;
  /** From `start` to before `end`. Who has it open keeps it, whatever is removed. */
  open(start: number, end: number): Promise<Readable>;
}

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface Referrer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Repositories {
  /** The id of a new upload; `quota_exceeded` where an account has too many. */
  begin(owner: UploadOwner): Promise<string>;
  uploadSize(owner: UploadOwner, id: string): Promise<number>;
  /** Whoever comes later takes over: the stream of the one before is cut. What arrived is kept; on a full disk nothing is. */
  append(owner: UploadOwner, id: string, bytes: Readable, chunk: Chunk): Promise<Appended>;
  /** A wrong digest is `digest_mismatch`, and ends the upload. */
  finish(owner: UploadOwner, id: string, digest: Digest): Promise<void>;
  cancel(owner: UploadOwner, id: string): Promise<void>;
  /** Removes uploads that nobody touched for a day. */
  expire(): Promise<void>;

  blob(repository: string, digest: Digest): Promise<BlobContent | undefined>;
  /** Somebody counts on the blob being there for the manifest that comes next. */
  keepBlob(repository: string, digest: Digest): Promise<void>;
  /** False: the other repository does not have it. */
  mount(repository: string, digest: Digest, from: string): Promise<boolean>;
  /** `in_use` while a manifest of the repository names it. */
  removeBlob(repository: string, digest: Digest): Promise<void>;

  /** `reference` is a tag or a digest. `image_invalid`, `digest_mismatch`; what it names and is not there: `not_found`. */
  putManifest(put: {
    readonly repository: string;
    readonly reference: string;
    readonly bytes: Buffer;
    /** As the sender calls it; it must be what the document says. */
    readonly mediaType: string | undefined;
  }): Promise<{ readonly digest: Digest; readonly subject: Digest | undefined }>;
  manifest(repository: string, reference: string): Promise<StoredManifest | undefined>;
  /** A tag alone, or a manifest and the tags that mean it; `in_use` while an index of the repository names it. */
  removeManifest(repository: string, reference: string): Promise<void>;

  /** By their names whatever their case; undefined: there is no such repository. */
  tags(repository: string): Promise<readonly string[] | undefined>;
  /** In the order of their digests, beginning after `last`. */
  referrers(
    repository: string,
    subject: Digest,
    page: { readonly artifactType: string | undefined; readonly last: string; readonly count: number },
  ): Promise<readonly Referrer[]>;
  /** Sorted. */
  names(): Promise<readonly string[]>;
}
