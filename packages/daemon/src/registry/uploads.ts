import type { FastifyReply } from "fastify";
import type { UploadOwner } from "../images/repositories/port.ts";
import { endStalled, lengthOf } from "./bodies.ts";
import type { Exchange } from "./exchange.ts";
import { readContentRange } from "./ranges.ts";
import { Refusal, refusal } from "./refusals.ts";
import { readDigest, readName } from "./routes.ts";
import { stallMs } from "./stall.ts";

/** A new upload: empty, with the whole blob in the request, or none, where another repository has the blob. */
export async function beginUpload(exchange: Exchange, repository: string): Promise<FastifyReply> {
  const { repositories, request, reply, query } = exchange;
  if (request.method !== "POST") {
    throw refusal("UNSUPPORTED", 405, `${request.method} is not for the list of uploads`);
  }
  const mounted = await mount(exchange, repository);
  if (mounted !== undefined) return created(reply, repository, mounted);
  const digest = query.get("digest");
  const wanted = digest === null ? undefined : readDigest(digest);
  const owner = ownerOf(exchange, repository);
  const id = await repositories.begin(owner);
  if (wanted === undefined) return progress(reply, { repository, id, size: 0 }, 202);
  try {
    await receive(exchange, { owner, id });
    await repositories.finish(owner, id, wanted);
  } catch (error) {
    // Nobody knows of it.
    await repositories.cancel(owner, id).catch(() => {});
    throw error;
  }
  return created(reply, repository, wanted);
}

export async function serveUpload(
  exchange: Exchange,
  { repository, id }: { readonly repository: string; readonly id: string },
): Promise<FastifyReply> {
  const { repositories, request, reply, query } = exchange;
  const owner = ownerOf(exchange, repository);
  switch (request.method) {
    case "GET":
    case "HEAD":
      return progress(reply, { repository, id, size: await repositories.uploadSize(owner, id) }, 204);
    case "PATCH":
      return progress(reply, { repository, id, size: await receive(exchange, { owner, id }) }, 202);
    case "PUT": {
      const digest = readDigest(query.get("digest") ?? "");
      // Its last chunk may come with it, or nothing.
      if (lengthOf(request.raw) !== 0 && hasBody(exchange)) await receive(exchange, { owner, id });
      await repositories.finish(owner, id, digest);
      return created(reply, repository, digest);
    }
    case "DELETE":
      await repositories.cancel(owner, id);
      return reply.code(204).send();
    default:
      throw refusal("UNSUPPORTED", 405, `${request.method} is not for uploads`);
  }
}

async function mount({ repositories, access, visitor, query }: Exchange, repository: string) {
  const [wanted, from] = [query.get("mount"), query.get("from")];
  if (wanted === null || from === null) return undefined;
  const digest = readDigest(wanted);
  const source = readName(from);
  if (!access.may(visitor, source, "pull")) return undefined;
  return (await repositories.mount(repository, digest, source)) ? digest : undefined;
}

async function receive(
  { deps, repositories, request }: Exchange,
  { owner, id }: { readonly owner: UploadOwner; readonly id: string },
): Promise<number> {
  const range = readContentRange(request.headers["content-range"]);
  const length = lengthOf(request.raw);
  const { repository } = owner;
  if (range === null || (range !== undefined && length !== undefined && range.end - range.start !== length)) {
    const size = await repositories.uploadSize(owner, id);
    throw outOfOrder({ repository, id, size }, "its Content-Range is not that of what was sent");
  }
  const cancel = endStalled(request.raw.socket, deps.clock, stallMs);
  try {
    const { size, inOrder } = await repositories.append(owner, id, request.raw, {
      at: range?.start,
      length,
    });
    if (!inOrder) throw outOfOrder({ repository, id, size }, "it does not begin where the upload ends");
    return size;
  } finally {
    cancel();
  }
}

interface Progress {
  readonly repository: string;
  readonly id: string;
  readonly size: number;
}

const headersOf = ({ repository, id, size }: Progress) => ({
  location: `/v2/${repository}/blobs/uploads/${id}`,
  // The last byte that is there; of an upload without any, 0 all the same.
  range: `0-${Math.max(0, size - 1)}`,
  "docker-upload-uuid": id,
});

const progress = (reply: FastifyReply, upload: Progress, status: number): FastifyReply =>
  reply.code(status).headers(headersOf(upload)).send();

function outOfOrder(upload: Progress, reason: string): Refusal {
  const message = `receive a chunk: ${reason}; ${upload.size} bytes are here`;
  return new Refusal("BLOB_UPLOAD_INVALID", 416, message, { headers: headersOf(upload) });
}

function created(reply: FastifyReply, repository: string, digest: string): FastifyReply {
  const location = `/v2/${repository}/blobs/${digest}`;
  return reply.code(201).headers({ location, "docker-content-digest": digest }).send();
}

const ownerOf = ({ visitor }: Exchange, repository: string): UploadOwner => ({
  account: visitor.account,
  repository,
});

const hasBody = ({ request }: Exchange): boolean =>
  request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
