/** A manifest comes into a repository when everything that it names is there. */
import { UniError } from "@uni/contract/errors";
import { type Digest, isDigest } from "@uni/contract/ids";
import type { Descriptor } from "../oci.ts";
import { parseReference } from "../reference.ts";
import type { Room } from "../room.ts";
import { type DescribedDocument, describeDocument } from "./document.ts";

interface ManifestPush {
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
  readonly bytes: Buffer;
  readonly mediaType: string | undefined;
}

export async function pushManifest(room: Room, push: ManifestPush): Promise<DescribedDocument> {
  const { repository, reference, bytes, mediaType } = push;
  const what = `manifest "${reference.slice(0, 200)}" of "${repository}"`;
  const tag = isDigest(reference) ? undefined : parseReference(`${repository}:${reference}`).tag;
  const document = describeDocument(bytes, what, mediaType);
  const { digest } = document;
  if (tag === undefined && digest !== reference) {
    throw new UniError("digest_mismatch", `push ${what}: its digest is ${digest}`);
  }
  const release = room.leases.hold([digest]);
  try {
    await room.blobs.ingest([bytes], {
      what: `push ${what}`,
      digest,
      size: bytes.length,
      maxBytes: bytes.length,
      signal: new AbortController().signal,
    });
    // Looked up where no sweep can come between: what is there now is there when the row is.
    await room.catalogueQueue.run("catalogue", async () => {
      const names = await presentNames(room, repository, { document, what });
      await room.repositories.putManifest({
        repository,
        tag,
        row: { ...document, names },
        now: room.clock.now(),
      });
    });
    return document;
  } finally {
    release();
  }
}

async function presentNames(
  room: Room,
  repository: string,
  { document, what }: { readonly document: DescribedDocument; readonly what: string },
): Promise<Digest[]> {
  const isThere = async ({ digest, size }: Descriptor, kind: "manifest" | "blob"): Promise<boolean> => {
    if (!(await room.repositories.contains(repository, digest, kind))) return false;
    const stored = await room.blobs.size(digest);
    if (stored === undefined || stored === size) return stored !== undefined;
    throw new UniError("image_invalid", `push ${what}: ${digest} has ${stored} bytes and not ${size}`);
  };
  const names: Digest[] = [];
  for (const [kind, descriptors] of [
    ["manifest", document.manifests],
    ["blob", document.blobs],
  ] as const) {
    for (const descriptor of descriptors) {
      if (!(await isThere(descriptor, kind))) throw missing(what, kind, descriptor);
      names.push(descriptor.digest);
    }
  }
  for (const layer of document.foreign) if (await isThere(layer, "blob")) names.push(layer.digest);
  return names;
}

function missing(what: string, kind: string, { digest }: Descriptor): UniError {
  return new UniError("not_found", `push ${what}: its ${kind} ${digest} is not in the repository`, {
    hint: "Push what a manifest names before the manifest.",
  });
}
