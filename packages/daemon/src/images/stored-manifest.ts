import type { ImageRow } from "../store/images.ts";
import { type Manifest, mediaTypeOf, parseDocument } from "./oci.ts";
import type { Room } from "./room.ts";

export interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly manifest: Manifest;
}

/** The manifest of an image of the catalogue; it was checked when the image came in. */
export async function readStoredManifest(room: Room, { digest }: ImageRow): Promise<StoredManifest> {
  const bytes = await room.blobs.read(digest);
  const what = `image ${digest}`;
  const document = parseDocument(bytes, what);
  if (document.kind !== "manifest") throw new Error(`${digest} is no manifest`);
  return { bytes, mediaType: mediaTypeOf(bytes, what), manifest: document.manifest };
}
