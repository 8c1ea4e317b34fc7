/** An image, or whatever else its name means, to a registry. */
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { splitName } from "@uni/contract/image-names";
import { sideBySide } from "../../base/side-by-side.ts";
import type { ImageOptions, Pushed, PushRequest } from "../port.ts";
import { type ImageReference, parseReference } from "../reference.ts";
import type { Remote, Repository } from "../remote/client.ts";
import { bytesBody } from "../remote/exchange.ts";
import { plain } from "../remote/failures.ts";
import type { Room } from "../room.ts";
import { uploadBlob } from "./blob-upload.ts";
import type { Contents, PushedDocument } from "./contents.ts";
import { type HeldContents, holdContents } from "./hold-contents.ts";

const mostAtOnce = 4;

export async function pushImage(
  room: Room,
  remote: Remote,
  { reference, destination = reference, credentials, headers }: PushRequest,
  options: ImageOptions,
): Promise<Pushed> {
  const { signal, onProgress } = options;
  const to = parseDestination(destination);
  const tag = to.tag ?? "latest";
  await using held = await holdContents(room, reference);
  const repository = await remote.openRepository(to, {
    ...{ credentials, headers },
    withKept: room.tenant.isMachine,
    actions: "pull,push",
    attempted: `push ${destination}`,
    onRetry: (reason, pauseMs) =>
      onProgress({ step: "wait", message: `${reason}: trying again in ${Math.ceil(pauseMs / 1000)} s` }),
  });
  const { documents, blobs } = await choose(held, repository, options);
  const elsewhere = await otherRepositories(room, to);
  await sideBySide(blobs, mostAtOnce, async (blob) => {
    const report = (message: string, current: number): void =>
      onProgress({ step: "layer", layer: blob.digest, message, current, total: blob.size });
    const outcome = await uploadBlob({
      ...{ repository, blob, signal, clock: room.clock },
      path: room.blobs.path(blob.digest),
      mountFrom: elsewhere.get(blob.digest) ?? [],
      onBytes: (sent) => report("pushing", sent),
    });
    report(words[outcome], blob.size);
  });
  const digest = await putDocuments(repository, documents, { tag, signal });
  room.log.info({ reference, registry: repository.registry, digest }, "image pushed");
  return { reference: `${to.name}:${tag}`, digest };
}

const words = { there: "already there", mounted: "mounted", sent: "pushed" } as const;

function parseDestination(text: string): ImageReference {
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference;
  throw new UniError("invalid_value", `push to ${text}: a digest is no name to push to`, {
    hint: "Give a tag, such as registry.example.com/team/web:1.2.",
  });
}

/**
 * The document that the name means, if all of it is here or there; else, of an index whose other images were never fetched,
 * the image for this machine.
 */
async function choose(
  { whole, image }: HeldContents,
  repository: Repository,
  { signal, onProgress }: ImageOptions,
): Promise<Contents> {
  if (!(await isAnyAbsent(repository, whole, signal))) return whole;
  if (image === undefined || image.missing.length > 0) {
    throw new UniError("image_invalid", `push to ${repository.registry}: parts of it are not in the store`, {
      hint: "Pull, load or build it again.",
    });
  }
  onProgress({ step: "platform", message: "only the image for this machine is here: it is pushed alone" });
  return image;
}

async function isAnyAbsent(
  repository: Repository,
  { missing }: Contents,
  signal: AbortSignal,
): Promise<boolean> {
  for (const digest of missing) {
    const answer = await repository.request({
      method: "HEAD",
      path: `manifests/${digest}`,
      headers: { accept: "*/*" },
      expect: [200, 404],
      signal,
    });
    answer.discard();
    if (answer.status !== 200) return true;
  }
  return false;
}

/** By blob: repositories of the same registry whose images, as far as is known here, have it. */
async function otherRepositories(room: Room, to: ImageReference): Promise<Map<Digest, string[]>> {
  const { host, path } = splitName(to.name);
  const found = new Map<Digest, string[]>();
  for (const { references, blobs } of await room.catalogue.list()) {
    const paths = references
      .map((reference) => splitName(reference.slice(0, reference.lastIndexOf(":"))))
      .flatMap((each) => (each.host === host && each.path !== path ? [each.path] : []));
    if (paths.length === 0) continue;
    for (const blob of blobs) found.set(blob, [...new Set([...(found.get(blob) ?? []), ...paths])]);
  }
  return found;
}

/** The digest of the top. */
async function putDocuments(
  repository: Repository,
  documents: readonly PushedDocument[],
  { tag, signal }: { readonly tag: string; readonly signal: AbortSignal },
): Promise<Digest> {
  const top = documents.at(-1);
  if (top === undefined) throw new UniError("internal", `push ${tag}: there is nothing to push`);
  for (const document of documents) {
    const { bytes, digest, mediaType } = document;
    const answer = await repository.request({
      method: "PUT",
      path: `manifests/${document === top ? tag : digest}`,
      headers: { "content-type": mediaType },
      body: bytesBody(bytes),
      expect: [201],
      signal,
    });
    answer.discard();
    const said = answer.headers["docker-content-digest"];
    if (said === undefined || said === digest) continue;
    throw new UniError("digest_mismatch", `push ${digest}: the registry took it as ${plain(String(said))}`);
  }
  return top.digest;
}
