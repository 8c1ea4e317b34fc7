/** What `docker load` takes: manifest.json, which names configs and layers by their files. */
import type { Room } from "../room.ts";
import type { TarMember } from "../tar-writer.ts";
import { blobMember, hexOf, jsonMember } from "./blob-member.ts";
import type { SavedImage } from "./save-images.ts";

export async function* dockerMembers(
  room: Room,
  images: readonly SavedImage[],
  signal: AbortSignal,
): AsyncGenerator<TarMember> {
  const files = new Map<string, SavedImage["row"]["digest"]>();
  const nameOf = (digest: SavedImage["row"]["digest"], ending: string): string => {
    const name = `${hexOf(digest)}${ending}`;
    files.set(name, digest);
    return name;
  };
  yield jsonMember(
    "manifest.json",
    images.map(({ names, manifest }) => ({
      Config: nameOf(manifest.config.digest, ".json"),
      RepoTags: names,
      Layers: manifest.layers.map(({ digest }) => nameOf(digest, ".tar")),
    })),
  );
  for (const [name, digest] of files) yield await blobMember(room, digest, name, signal);
}
