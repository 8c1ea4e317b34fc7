/**
 * One blob to a registry: not at all if it is there, by a mount if another repository there has it, else in chunks, each
 * taken up where the registry says that the one before ended.
 */
import { createReadStream, type ReadStream } from "node:fs";
import { Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import type { Descriptor } from "../oci.ts";
import type { Repository } from "../remote/client.ts";
import type { Answer, Body } from "../remote/exchange.ts";
import { isPassing, statusFailure } from "../remote/failures.ts";
import { longestWishMs, retryAfterMs } from "../remote/retry.ts";

export interface BlobUpload {
  readonly repository: Repository;
  readonly blob: Pick<Descriptor, "digest" | "size">;
  /** Of the file that holds it. */
  readonly path: string;
  /** Repositories of the same registry that may have it. */
  readonly mountFrom: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly chunkBytes?: number;
  readonly onBytes: (sent: number) => void;
}

export type BlobOutcome = "there" | "mounted" | "sent";

const standardChunkBytes = 64 << 20;
const longestChunkBytes = 1 << 30;
/** In a row, without the registry having got any further. */
const mostFailures = 6;
const firstPauseMs = 500;
const mostMounts = 3;
/** What may be otherwise at the next try; 404 and 416: the registry has another idea of the upload, and is asked for it. */
const passing: readonly number[] = [404, 408, 416, 429, 500, 502, 503, 504];

/** An answer after which the upload may go on. */
class Interruption extends Error {
  readonly failure: UniError;
  readonly pauseMs: number;

  constructor(failure: UniError, pauseMs: number) {
    super(failure.message);
    this.failure = failure;
    this.pauseMs = pauseMs;
  }
}

export async function uploadBlob(upload: BlobUpload): Promise<BlobOutcome> {
  if (await isThere(upload)) return "there";
  for (const from of upload.mountFrom.slice(0, mostMounts)) {
    if (await mount(upload, from)) return "mounted";
  }
  await sendWhole(upload);
  return "sent";
}

async function isThere({ repository, blob, signal }: BlobUpload): Promise<boolean> {
  const answer = await repository.request({
    method: "HEAD",
    path: `blobs/${blob.digest}`,
    expect: [200, 404],
    signal,
  });
  answer.discard();
  return answer.status === 200;
}

/** A registry that cannot or will not begins an upload instead, or refuses: then the blob is sent. */
async function mount({ repository, blob, signal }: BlobUpload, from: string): Promise<boolean> {
  const answer = await repository.request({
    method: "POST",
    path: `blobs/uploads/?mount=${encodeURIComponent(blob.digest)}&from=${encodeURIComponent(from)}`,
    expect: [201, 202, 400, 401, 403, 404, 405],
    signal,
  });
  answer.discard();
  // Nobody is to wait for the upload that was begun in its place.
  if (answer.status === 202) await cancel(repository, locationOf(answer), signal);
  return answer.status === 201;
}

async function cancel(repository: Repository, location: URL, signal: AbortSignal): Promise<void> {
  try {
    (
      await repository.request({ method: "DELETE", path: location, expect: [202, 204, 404, 405], signal })
    ).discard();
  } catch {
    // The registry forgets it by itself.
    signal.throwIfAborted();
  }
}

interface Session {
  readonly location: URL;
  readonly offset: number;
  readonly chunkBytes: number;
}

async function sendWhole(upload: BlobUpload): Promise<void> {
  const { blob, clock, signal } = upload;
  let session: Session | undefined;
  let furthest = 0;
  for (let failures = 0; ; ) {
    try {
      session ??= await begin(upload);
      while (session.offset < blob.size) {
        session = await sendChunk(upload, session);
        if (session.offset > furthest) failures = 0;
        furthest = Math.max(furthest, session.offset);
      }
      return await finish(upload, session);
    } catch (error) {
      signal.throwIfAborted();
      const isInterrupted = error instanceof Interruption;
      const failure = isInterrupted ? error.failure : error;
      if ((!isInterrupted && !isPassing(error)) || ++failures >= mostFailures) throw failure;
      await clock.sleep(Math.max(firstPauseMs * 2 ** failures, isInterrupted ? error.pauseMs : 0), signal);
      if (await isThere(upload)) return;
      session = session === undefined ? undefined : await askAgain(upload, session);
    }
  }
}

async function requireStatus(upload: BlobUpload, answer: Answer, wanted: number): Promise<void> {
  if (answer.status === wanted) return answer.discard();
  const wishMs = retryAfterMs(answer, upload.clock) ?? 0;
  const { registry } = upload.repository;
  const failure = await statusFailure(`push layer ${upload.blob.digest}`, registry, answer);
  // Of an upload "no such image" would be the wrong word.
  const named =
    failure.code === "image_not_found"
      ? new UniError("registry_failed", `push layer ${upload.blob.digest}: ${registry} knows nothing of it`)
      : failure;
  if (wishMs > longestWishMs) throw named;
  throw new Interruption(named, wishMs);
}

async function begin(upload: BlobUpload): Promise<Session> {
  const { repository, signal, chunkBytes = standardChunkBytes } = upload;
  const answer = await repository.request({
    method: "POST",
    path: "blobs/uploads/",
    expect: [202, ...passing],
    signal,
  });
  await requireStatus(upload, answer, 202);
  const least = Number(answer.headers["oci-chunk-min-length"] ?? 0);
  const wanted = Number.isSafeInteger(least) && least > chunkBytes ? least : chunkBytes;
  return { location: locationOf(answer), offset: 0, chunkBytes: Math.min(wanted, longestChunkBytes) };
}

async function sendChunk(upload: BlobUpload, session: Session): Promise<Session> {
  const { repository, blob, signal } = upload;
  const { offset, location, chunkBytes } = session;
  const end = Math.min(offset + chunkBytes, blob.size);
  const answer = await repository.request({
    method: "PATCH",
    path: location,
    headers: { "content-type": "application/octet-stream", "content-range": `${offset}-${end - 1}` },
    body: bodyOf(upload, offset, end),
    expect: [202, ...passing],
    signal,
  });
  await requireStatus(upload, answer, 202);
  // All was taken, unless the registry says how much less.
  const said = offsetOf(answer, blob.size);
  const taken = said === undefined || said === 0 ? end : said;
  if (taken > offset) return { ...session, location: locationOf(answer), offset: taken };
  throw new UniError(
    "registry_failed",
    `push layer ${blob.digest}: ${repository.registry} takes nothing of it`,
  );
}

async function finish(upload: BlobUpload, { location }: Session): Promise<void> {
  const { repository, blob, signal } = upload;
  const whole = new URL(location);
  whole.searchParams.set("digest", blob.digest);
  const answer = await repository.request({
    method: "PUT",
    path: whole,
    headers: { "content-type": "application/octet-stream" },
    body: { size: 0, open: () => Readable.from([]) },
    expect: [201, ...passing],
    isRepeatable: false,
    signal,
  });
  await requireStatus(upload, answer, 201);
}

/** How far an upload has come, as the registry has it; undefined where it knows nothing of it any more. */
async function askAgain(
  { repository, blob, signal }: BlobUpload,
  session: Session,
): Promise<Session | undefined> {
  const answer = await repository.request({
    method: "GET",
    path: session.location,
    expect: [204, 400, 404, 405],
    signal,
  });
  answer.discard();
  if (answer.status !== 204) return undefined;
  return {
    ...session,
    location: locationOf(answer, session.location),
    offset: offsetOf(answer, blob.size) ?? 0,
  };
}

/** "0-99" is a hundred bytes. Nothing at all is said in two ways: without the header, and as "0-0". */
function offsetOf({ headers }: Answer, size: number): number | undefined {
  const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(headers.range ?? "")?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(last) || last >= size) return undefined;
  return last === 0 ? 0 : last + 1;
}

function locationOf({ headers, url }: Answer, standard?: URL): URL {
  const location = headers.location === undefined ? standard : URL.parse(headers.location, url.href);
  if (location !== undefined && location !== null) return location;
  throw new UniError("registry_failed", `push to ${url.host}: it does not say where an upload goes on`);
}

function bodyOf({ path, onBytes }: BlobUpload, start: number, end: number): Body {
  return {
    size: end - start,
    open() {
      const stream: ReadStream = createReadStream(path, { start, end: end - 1, highWaterMark: 1 << 18 });
      let sent = start;
      stream.on("data", (chunk) => {
        sent += chunk.length;
        onBytes(sent);
      });
      return stream;
    },
  };
}
