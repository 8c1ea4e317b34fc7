/** Puts a manifest together for blobs that have none. Equal blobs give equal bytes, so the same content is one image. */
import type { Digest } from "@uni/contract/ids";
import { digestOf } from "./digest.ts";
import { type Descriptor, mediaTypes } from "./oci.ts";

export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
}

export interface StoredLayer extends StoredBlob {
  /** Default: a plain tar. */
  readonly mediaType?: string;
}

export function makeManifest(
  config: StoredBlob,
  layers: readonly StoredLayer[],
): { readonly bytes: Buffer; readonly descriptor: Descriptor } {
  const describe = (mediaType: string, { digest, size }: StoredBlob) => ({ mediaType, digest, size });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: describe(mediaTypes.config, config),
      layers: layers.map((layer) => describe(layer.mediaType ?? mediaTypes.layer, layer)),
    }),
  );
  const descriptor = {
    mediaType: mediaTypes.manifest,
    digest: digestOf(bytes),
    size: bytes.length,
    platform: undefined,
    annotations: {},
  };
  return { bytes, descriptor };
}
