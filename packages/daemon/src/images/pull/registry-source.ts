/** A repository as a source of images: documents by tag or digest, and blobs that can be gone on with. */
import { UniError } from "@uni/contract/errors";
import { type Digest, isDigest } from "@uni/contract/ids";
import { digestOf } from "../digest.ts";
import type { Descriptor } from "../oci.ts";
import type { ImageReference } from "../reference.ts";
import type { Repository } from "../remote/client.ts";
import type { Answer } from "../remote/exchange.ts";
import type { Room } from "../room.ts";
import type { BlobOrigin, ImageSource, Stretch } from "../sources.ts";

/** Docker's form of an index and a manifest beside OCI's. */
const documentTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

export interface RegistrySource extends ImageSource {
  /** What the tag means now, without fetching it; undefined where the registry does not say. */
  current(): Promise<Digest | undefined>;
  /** The document that the reference means. */
  top(): Promise<Descriptor>;
  origin(descriptor: Descriptor): BlobOrigin;
}

export function registrySource(
  room: Room,
  repository: Repository,
  reference: ImageReference,
  signal: AbortSignal,
): RegistrySource {
  const name = reference.digest ?? reference.tag ?? "latest";
  const fetched = new Map<Digest, Buffer>();

  async function fetchDocument(
    which: string,
  ): Promise<{ readonly bytes: Buffer; readonly mediaType: string }> {
    const answer = await repository.request({
      method: "GET",
      path: `manifests/${which}`,
      headers: { accept: documentTypes },
      signal,
    });
    const bytes = await answer.read(room.limits.documentBytes);
    checkDigest(which, answer, bytes);
    return { bytes, mediaType: answer.headers["content-type"]?.split(";")[0]?.trim() ?? "" };
  }

  const open = async (descriptor: Descriptor, from: number, distrust: boolean): Promise<Stretch> => {
    const answer = await repository.request({
      method: "GET",
      path: `blobs/${descriptor.digest}`,
      headers: from === 0 ? {} : { range: `bytes=${from}-` },
      expect: from === 0 ? [200] : [200, 206, 416],
      signal,
      distrustMirrors: distrust,
    });
    if (answer.status === 200) return { from: 0, bytes: answer.body };
    if (continues(answer, descriptor, from)) return { from, bytes: answer.body };
    answer.discard();
    return open(descriptor, 0, distrust);
  };

  return {
    async current() {
      const answer = await repository.request({
        method: "HEAD",
        path: `manifests/${name}`,
        headers: { accept: documentTypes },
        signal,
      });
      const digest = answer.headers["docker-content-digest"];
      answer.discard();
      return typeof digest === "string" && isDigest(digest) ? digest : undefined;
    },
    async top() {
      const { digest } = reference;
      const isKept = digest !== undefined && (await room.tenant.has(digest));
      const { bytes, mediaType } = isKept
        ? { bytes: await room.blobs.read(digest), mediaType: "" }
        : await fetchDocument(name);
      const found = digestOf(bytes);
      fetched.set(found, bytes);
      return { mediaType, digest: found, size: bytes.length, platform: undefined, annotations: {} };
    },
    async manifest({ digest }) {
      const known = fetched.get(digest);
      if (known !== undefined) return known;
      if (await room.tenant.has(digest)) return room.blobs.read(digest);
      const { bytes } = await fetchDocument(digest);
      fetched.set(digest, bytes);
      return bytes;
    },
    blob: async (descriptor) => (await open(descriptor, 0, false)).bytes,
    origin: (descriptor) => ({ open: (from, distrust) => open(descriptor, from, distrust) }),
  };
}

/** By its digest a document must be what was asked for, and the registry must not contradict itself. */
function checkDigest(which: string, answer: Answer, bytes: Buffer): void {
  const found = digestOf(bytes);
  const said = answer.headers["docker-content-digest"];
  const wanted = isDigest(which) ? which : typeof said === "string" && isDigest(said) ? said : found;
  if (found === wanted) return;
  throw new UniError(
    "digest_mismatch",
    `fetch the document ${which}: its digest is ${found} instead of ${wanted}`,
    {
      hint: "The registry, or something in between, has changed it: push the image again.",
    },
  );
}

/** No ETag is asked about: a blob never changes, and its digest is looked at in the end. */
function continues({ status, headers }: Answer, { size }: Descriptor, from: number): boolean {
  const [, start, total = "*"] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "") ?? [];
  return status === 206 && Number(start) === from && (total === "*" || Number(total) === size);
}
