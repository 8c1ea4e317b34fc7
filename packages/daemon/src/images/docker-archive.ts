/**
 * What `docker save` writes: manifest.json names config and layer files, and nothing has a digest. The layers go to the
 * blob store first, which says their digests, and a manifest is put together for them.
 */
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import type { Archive, ArchiveFile } from "./archive.ts";
import { asArray, asObject, asString, asStrings, member, optional } from "./json-check.ts";
import { makeManifest, type StoredBlob } from "./make-manifest.ts";
import type { FoundImage } from "./oci-layout.ts";
import type { ImageOptions } from "./port.ts";
import { canonicalReference } from "./reference.ts";
import type { Room } from "./room.ts";

export interface DockerImage {
  readonly config: string;
  readonly layers: readonly string[];
  readonly references: readonly string[];
}

export async function findDockerImages(archive: Archive): Promise<DockerImage[]> {
  const bytes = await archive.readDocument("manifest.json");
  if (bytes === undefined)
    throw new UniError("image_invalid", "read an image archive: it has no manifest.json");
  return asArray(parseList(bytes), "manifest.json").map((each, index) => {
    const what = `manifest.json[${index}]`;
    const json = asObject(each, what);
    return {
      config: asString(member(json, "Config"), `${what}.Config`),
      layers: optional(member(json, "Layers"), `${what}.Layers`, asStrings) ?? [],
      references: (optional(member(json, "RepoTags"), `${what}.RepoTags`, asStrings) ?? []).map(
        canonicalReference,
      ),
    };
  });
}

/** Stores the image's blobs. The caller keeps the leases until the image is imported. */
export async function storeDockerImage(
  room: Room,
  archive: Archive,
  image: DockerImage,
  options: ImageOptions & { readonly onStored: (digest: Digest) => void },
): Promise<FoundImage> {
  const config = await store(room, findFile(archive, image.config), image.config, options);
  const layers: StoredBlob[] = [];
  for (const [index, path] of image.layers.entries()) {
    const total = image.layers.length;
    options.onProgress({ step: "layers", message: "storing layers", current: index + 1, total });
    layers.push(await store(room, findFile(archive, path), path, options));
  }
  const { bytes, descriptor } = makeManifest(config, layers);
  options.onStored(descriptor.digest);
  await room.blobs.ingest([bytes], {
    what: "store an image manifest",
    digest: descriptor.digest,
    size: bytes.length,
    maxBytes: bytes.length,
    signal: options.signal,
  });
  return { descriptor, references: image.references };
}

async function store(
  room: Room,
  file: ArchiveFile,
  path: string,
  options: ImageOptions & { readonly onStored: (digest: Digest) => void },
): Promise<StoredBlob> {
  return room.blobs.ingest(file.chunks(), {
    what: `store "${path}"`,
    digest: undefined,
    size: file.size,
    maxBytes: room.limits.bytes,
    signal: options.signal,
    onDigest: options.onStored,
  });
}

function findFile(archive: Archive, path: string): ArchiveFile {
  const file = archive.find(path);
  if (file !== undefined) return file;
  throw new UniError("image_invalid", `read an image archive: "${path}" is missing`, {
    hint: "The archive is incomplete; save the image again.",
  });
}

function parseList(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new UniError("image_invalid", "read manifest.json: it is not JSON", { cause: error });
  }
}
