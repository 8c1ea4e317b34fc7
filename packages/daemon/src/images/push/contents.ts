/** What goes along with a document: all that it names, down to the blobs, in the order in which a registry takes it. */
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { overLimit } from "../limits.ts";
import type { Descriptor } from "../oci.ts";
import { describeDocument } from "../repositories/document.ts";
import type { Room } from "../room.ts";

export interface PushedDocument {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface Contents {
  /** The top comes last: what a document names is there before it. */
  readonly documents: readonly PushedDocument[];
  readonly blobs: readonly Descriptor[];
  /** Named and not kept here: images for other machines, as a rule. */
  readonly missing: readonly Digest[];
}

const maxDepth = 4;
const maxDocuments = 1000;

export async function contentsOf(room: Room, top: Digest): Promise<Contents> {
  const documents = new Map<Digest, PushedDocument>();
  const blobs = new Map<Digest, Descriptor>();
  const missing = new Set<Digest>();
  const visit = async (digest: Digest, depth: number): Promise<void> => {
    if (documents.has(digest)) return;
    if (depth > maxDepth) throw new UniError("image_invalid", `push ${top}: too many indexes in indexes`);
    if (documents.size >= maxDocuments) throw overLimit(`push ${top}`, "documents", maxDocuments);
    if (!(await room.tenant.sees(digest))) return void missing.add(digest);
    const bytes = await room.blobs.read(digest);
    const document = describeDocument(bytes, digest);
    for (const child of document.manifests) await visit(child.digest, depth + 1);
    for (const blob of document.blobs) {
      if (await room.tenant.sees(blob.digest)) blobs.set(blob.digest, blob);
      else missing.add(blob.digest);
    }
    documents.set(digest, { digest, mediaType: document.mediaType, bytes });
  };
  await visit(top, 0);
  return { documents: [...documents.values()], blobs: [...blobs.values()], missing: [...missing] };
}
