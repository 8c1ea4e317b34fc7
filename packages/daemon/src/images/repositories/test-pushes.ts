/** Pushes without HTTP, for the tests of repositories. */
import { Readable } from "node:stream";
import { asAccountId, type Digest } from "@uni/contract/ids";
import { digestOf } from "../digest.ts";
import type { Repositories } from "./port.ts";

const account = asAccountId("00000000-0000-4000-8000-000000000000");
export const ownerOf = (repository: string) => ({ account, repository });
export const whole = { at: undefined, length: undefined };

export async function pushBlob(
  repositories: Repositories,
  repository: string,
  bytes: Buffer,
): Promise<Digest> {
  const owner = ownerOf(repository);
  const id = await repositories.begin(owner);
  await repositories.append(owner, id, Readable.from([bytes]), whole);
  const digest = digestOf(bytes);
  await repositories.finish(owner, id, digest);
  return digest;
}

export interface Document {
  readonly bytes: Buffer;
  /** Config and layers. */
  readonly blobs: readonly Buffer[];
}

/** `reference` is a tag, or undefined for the document's own digest. */
export async function pushDocument(
  repositories: Repositories,
  repository: string,
  { bytes, blobs }: Document,
  reference?: string,
): Promise<Digest> {
  for (const blob of blobs) await pushBlob(repositories, repository, blob);
  const digest = digestOf(bytes);
  await repositories.putManifest({
    repository,
    reference: reference ?? digest,
    bytes,
    mediaType: undefined,
  });
  return digest;
}
