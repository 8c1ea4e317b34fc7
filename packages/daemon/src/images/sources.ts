/**
 * Where an image's documents and blobs come from: an archive, a layout on disk, a registry. What a source returns
 * is not trusted: the importer checks length and digest of everything.
 */
import type { Descriptor } from "./oci.ts";
import type { ByteStream } from "./spool.ts";

export interface ManifestSource {
  /** An index or manifest by its descriptor. */
  manifest(descriptor: Descriptor): Promise<Buffer>;
}

export interface BlobSource {
  blob(descriptor: Descriptor): Promise<ByteStream>;
  /** Where bytes come from afar: what came before a break is kept, and gone on with. */
  origin?(descriptor: Descriptor): BlobOrigin;
}

export interface BlobOrigin {
  /** With `distrust`, what came before was wrong: a mirror is not asked again. */
  open(from: number, distrust: boolean): Promise<Stretch>;
}

/** Bytes from a position on; where the other side does not know how, from the start. */
export interface Stretch {
  readonly from: number;
  readonly bytes: ByteStream;
}

export interface ImageSource extends ManifestSource, BlobSource {
  /** The blob is in the store, and is its own: that it is there is not worth a word. False: it is not to be had. */
  isStored?(descriptor: Descriptor): boolean | undefined;
}
