/** An OCI image layout in a tar (image-layout.md of the image specification). */
import { mediaTypes } from "../oci.ts";
import { parseReference } from "../reference.ts";
import type { Room } from "../room.ts";
import type { TarMember } from "../tar-writer.ts";
import { blobMember, hexOf, jsonMember } from "./blob-member.ts";
import type { SavedImage } from "./save-images.ts";

export async function* ociMembers(
  room: Room,
  images: readonly SavedImage[],
  signal: AbortSignal,
): AsyncGenerator<TarMember> {
  yield jsonMember("oci-layout", { imageLayoutVersion: "1.0.0" });
  yield jsonMember("index.json", {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: images.flatMap(describe),
  });
  for (const digest of new Set(images.flatMap(({ row }) => row.blobs))) {
    yield await blobMember(room, digest, `blobs/sha256/${hexOf(digest)}`, signal);
  }
}

/** The full name in the annotation that Docker and containerd read, its tag in the specification's own. */
function describe({ row, mediaType, bytes, names }: SavedImage): object[] {
  const descriptor = { mediaType, digest: row.digest, size: bytes.length };
  if (names.length === 0) return [descriptor];
  return names.map((name) => ({
    ...descriptor,
    annotations: {
      "io.containerd.image.name": name,
      "org.opencontainers.image.ref.name": parseReference(name).tag,
    },
  }));
}
