/**
 * Where an image's documents and blobs come from: an archive, a layout on disk, later a registry. What a source returns
 * is not trusted: the importer checks length and digest of everything.
 */
import type { Descriptor } from "./oci.ts";
import type { ByteStream } from "./spool.ts";

export interface ManifestSource {
  /** An index, manifest or config by its descriptor. */
  manifest(descriptor: Descriptor): Promise<Buffer>;
}

export interface BlobSource {
  blob(descriptor: Descriptor): Promise<ByteStream>;
}

export type ImageSource = ManifestSource & BlobSource;
