/** An OCI image layout (image-layout.md) as a source. The files come from an archive or a directory. */
import { UniError } from "@uni/contract/errors";
import type { Archive } from "./archive.ts";
import { type Descriptor, parseDocument } from "./oci.ts";
import { choosePlatform } from "./platform.ts";
import { canonicalReference } from "./reference.ts";
import type { ImageSource } from "./sources.ts";

export interface FoundImage {
  readonly descriptor: Descriptor;
  readonly references: readonly string[];
}

const fullName = "io.containerd.image.name";
const refName = "org.opencontainers.image.ref.name";

export async function findOciImages(archive: Archive, architecture: string): Promise<FoundImage[]> {
  const bytes = await archive.readDocument("index.json");
  if (bytes === undefined) throw new UniError("image_invalid", "read an image archive: it has no index.json");
  const document = parseDocument(bytes, "index.json");
  if (document.kind !== "index") throw new UniError("image_invalid", "read index.json: it is not an index");
  // One name may stand several times, once for each platform.
  const groups = Map.groupBy(document.manifests, (descriptor) => {
    const { annotations } = descriptor;
    const unnamed = descriptor.platform === undefined ? descriptor.digest : "";
    return annotations[fullName] ?? annotations[refName] ?? unnamed;
  });
  return [...groups.values()].map((descriptors) => {
    const [only] = descriptors;
    const chosen =
      descriptors.length === 1 && only !== undefined
        ? only
        : choosePlatform(descriptors, architecture, "an image archive");
    return { descriptor: chosen, references: namesOf(chosen) };
  });
}

/** The layout's own name may be a bare tag, which names no image. */
function namesOf({ annotations }: Descriptor): string[] {
  const full = annotations[fullName];
  if (full !== undefined) return [canonicalReference(full)];
  const name = annotations[refName];
  return name === undefined || !/[:/]/.test(name) || name.includes("@") ? [] : [canonicalReference(name)];
}

export function ociSource(archive: Archive): ImageSource {
  const find = ({ digest }: Descriptor) => {
    const path = `blobs/sha256/${digest.slice("sha256:".length)}`;
    const file = archive.find(path);
    if (file !== undefined) return { file, path };
    throw new UniError("image_invalid", `read an image archive: blob ${digest} is missing`, {
      hint: "The archive is incomplete; save the image again, for this platform or for all.",
    });
  };
  return {
    async manifest(descriptor) {
      return (await archive.readDocument(find(descriptor).path)) ?? Buffer.alloc(0);
    },
    blob: async (descriptor) => find(descriptor).file.chunks(),
  };
}
