/** OCI image index, manifest and descriptor, and Docker's schema 2 forms of them. */
import { UniError } from "@uni/contract/errors";
import { type Digest, isDigest } from "@uni/contract/ids";
import { digestProblem } from "./digest.ts";
import {
  asArray,
  asObject,
  asSize,
  asString,
  asStringMap,
  type JsonObject,
  member,
  optional,
  parseJson,
} from "./json-check.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform: Platform | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export type Document =
  | { readonly kind: "index"; readonly manifests: readonly Descriptor[] }
  | { readonly kind: "manifest"; readonly manifest: Manifest };

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

/** What may be asked for by name or digest, and which of the two forms it has. */
export const documentTypes: ReadonlyMap<string, "index" | "manifest"> = new Map([
  [mediaTypes.manifest, "manifest"],
  ["application/vnd.oci.image.index.v1+json", "index"],
  ["application/vnd.docker.distribution.manifest.v2+json", "manifest"],
  ["application/vnd.docker.distribution.manifest.list.v2+json", "index"],
]);

const configTypes: ReadonlySet<string> = new Set([
  mediaTypes.config,
  "application/vnd.docker.container.image.v1+json",
]);
const layerType =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+(?:gzip|zstd))?|docker\.image\.rootfs\.(?:diff|foreign\.diff)\.tar(?:\.(?:gzip|zstd))?)$/;

/** A layer that its maker forbids to hand on: registries need not have it. */
export const isForeignLayer = ({ mediaType }: Descriptor): boolean =>
  /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/.test(
    mediaType,
  );

/** An index or a manifest: told apart by their members, since media types are often missing. */
export function parseDocument(bytes: Uint8Array, what: string): Document {
  const json = parseJson(bytes, what);
  const isIndex = member(json, "manifests") !== undefined;
  const isManifest = member(json, "layers") !== undefined || member(json, "config") !== undefined;
  if (member(json, "fsLayers") !== undefined) {
    throw new UniError("image_invalid", `read ${what}: Docker's schema 1 is not supported`, {
      hint: "Convert it, for example with skopeo copy.",
    });
  }
  if (isIndex === isManifest) {
    throw new UniError("image_invalid", `read ${what}: it is neither an image index nor an image manifest`);
  }
  return isIndex
    ? { kind: "index", manifests: readDescriptors(member(json, "manifests"), `${what}: manifests`) }
    : { kind: "manifest", manifest: readManifest(json, what) };
}

/** What a manifest says that it is; older ones leave it to those who carry them. */
export const mediaTypeOf = (manifest: Uint8Array, what: string): string =>
  optional(member(parseJson(manifest, what), "mediaType"), `${what}: mediaType`, asString) ??
  mediaTypes.manifest;

function readManifest(json: JsonObject, what: string): Manifest {
  const config = readDescriptor(member(json, "config"), `${what}: config`);
  if (config.mediaType !== "" && !configTypes.has(config.mediaType)) {
    throw new UniError("image_invalid", `read ${what}: it is not an image but "${config.mediaType}"`);
  }
  const layers = readDescriptors(member(json, "layers"), `${what}: layers`);
  for (const { mediaType } of layers) {
    if (layerType.test(mediaType)) continue;
    throw new UniError("image_invalid", `read ${what}: layers of type "${mediaType}" are not supported`);
  }
  return { config, layers };
}

const readDescriptors = (value: unknown, what: string): Descriptor[] =>
  asArray(value, what).map((each, index) => readDescriptor(each, `${what}[${index}]`));

export function readDescriptor(value: unknown, what: string): Descriptor {
  const json = asObject(value, what);
  const digest = asString(member(json, "digest"), `${what}.digest`);
  if (!isDigest(digest)) {
    throw new UniError("image_invalid", `read ${what}: ${digestProblem(digest)}`);
  }
  return {
    mediaType: optional(member(json, "mediaType"), `${what}.mediaType`, asString) ?? "",
    digest,
    size: asSize(member(json, "size"), `${what}.size`),
    platform: optional(member(json, "platform"), `${what}.platform`, readPlatform),
    annotations: optional(member(json, "annotations"), `${what}.annotations`, asStringMap) ?? {},
  };
}

function readPlatform(value: unknown, what: string): Platform {
  const json = asObject(value, what);
  return {
    os: asString(member(json, "os"), `${what}.os`),
    architecture: asString(member(json, "architecture"), `${what}.architecture`),
    variant: optional(member(json, "variant"), `${what}.variant`, asString) ?? "",
  };
}
