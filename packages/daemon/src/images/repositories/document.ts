/** Reads a manifest or an index as a registry does: of any kind of artifact, bounded, without knowing what its blobs are. */
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { digestOf } from "../digest.ts";
import { asArray, asString, asStringMap, member, optional, parseJson } from "../json-check.ts";
import { overLimit } from "../limits.ts";
import { type Descriptor, documentTypes, isForeignLayer, readDescriptor } from "../oci.ts";

export interface DescribedDocument {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly artifactType: string;
  readonly subject: Digest | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  /** What an index lists. */
  readonly manifests: readonly Descriptor[];
  /** Config and layers. */
  readonly blobs: readonly Descriptor[];
  /** Layers that may be elsewhere. */
  readonly foreign: readonly Descriptor[];
}

const maxNames = 1_000;
/** Lists of referrers carry them, many at once. */
const maxAnnotationsOfReferrer = 256 << 10;

export function describeDocument(bytes: Buffer, what: string, givenType?: string): DescribedDocument {
  const json = parseJson(bytes, what);
  const mediaType = readMediaType(optional(member(json, "mediaType"), `${what}: mediaType`, asString), {
    given: givenType,
    hasManifests: member(json, "manifests") !== undefined,
    what,
  });
  const isIndex = documentTypes.get(mediaType) === "index";
  // A document that can be read both ways means something else to each who reads it.
  for (const wrong of isIndex ? ["config", "layers"] : ["manifests"]) {
    if (member(json, wrong) === undefined) continue;
    throw invalid(what, `it is "${mediaType}" and has "${wrong}"`);
  }
  const list = (name: string): Descriptor[] => {
    const entries = asArray(member(json, name) ?? [], `${what}: ${name}`);
    if (entries.length > maxNames) throw overLimit(`read ${what}`, name, maxNames);
    return entries.map((each, index) => readDescriptor(each, `${what}: ${name}[${index}]`));
  };
  const config = isIndex ? undefined : readDescriptor(member(json, "config"), `${what}: config`);
  const layers = isIndex ? [] : list("layers");
  const subject = optional(member(json, "subject"), `${what}: subject`, readDescriptor)?.digest;
  const annotations = optional(member(json, "annotations"), `${what}: annotations`, asStringMap) ?? {};
  if (subject !== undefined && JSON.stringify(annotations).length > maxAnnotationsOfReferrer) {
    throw overLimit(`read ${what}`, "bytes of annotations", maxAnnotationsOfReferrer);
  }
  const artifactType = optional(member(json, "artifactType"), `${what}: artifactType`, asString) ?? "";
  return {
    digest: digestOf(bytes),
    mediaType,
    sizeBytes: bytes.length,
    artifactType: artifactType === "" ? (config?.mediaType ?? "") : artifactType,
    subject,
    annotations,
    manifests: isIndex ? list("manifests") : [],
    blobs: [...(config === undefined ? [] : [config]), ...layers.filter((layer) => !isForeignLayer(layer))],
    foreign: layers.filter(isForeignLayer),
  };
}

function readMediaType(
  own: string | undefined,
  {
    given,
    hasManifests,
    what,
  }: { readonly given: string | undefined; readonly hasManifests: boolean; readonly what: string },
): string {
  if (own !== undefined && given !== undefined && own !== given) {
    throw invalid(what, `it was sent as "${given}" and says that it is "${own}"`);
  }
  const implied = hasManifests
    ? "application/vnd.oci.image.index.v1+json"
    : "application/vnd.oci.image.manifest.v1+json";
  const mediaType = own ?? given ?? implied;
  if (documentTypes.has(mediaType)) return mediaType;
  throw invalid(what, `documents of type "${mediaType.slice(0, 200)}" are not supported`);
}

function invalid(what: string, reason: string): UniError {
  return new UniError("image_invalid", `read ${what}: ${reason}`, {
    hint: "OCI manifests and indexes, and Docker's schema 2 manifests and lists, are taken.",
  });
}
