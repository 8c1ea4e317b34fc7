import type { Digest } from "@uni/contract/ids";
import type { FastifyReply } from "fastify";
import { endStalled } from "./bodies.ts";
import { type Exchange, isMatch } from "./exchange.ts";
import { readRange } from "./ranges.ts";
import { Refusal, refusal } from "./refusals.ts";
import { stallMs } from "./stall.ts";

interface Blob {
  readonly repository: string;
  readonly digest: Digest;
}

export async function serveBlob(exchange: Exchange, blob: Blob): Promise<FastifyReply> {
  const { repositories, request, reply } = exchange;
  const { repository, digest } = blob;
  switch (request.method) {
    case "GET":
    case "HEAD":
      return await sendBlob(exchange, blob);
    case "DELETE":
      await repositories.removeBlob(repository, digest);
      return reply.code(202).send();
    default:
      throw refusal("UNSUPPORTED", 405, `${request.method} is not for blobs`);
  }
}

async function sendBlob(exchange: Exchange, { repository, digest }: Blob): Promise<FastifyReply> {
  const { deps, repositories, request, reply } = exchange;
  const blob = await repositories.blob(repository, digest);
  if (blob === undefined) throw refusal("BLOB_UNKNOWN", 404, `"${repository}" has no blob ${digest}`);
  const { size } = blob;
  const etag = `"${digest}"`;
  reply.headers({
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=31536000, immutable",
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag,
  });
  if (isMatch(request, etag)) return reply.code(304).send();
  if (request.method === "HEAD") {
    // Who will push a manifest next counts on what it was told is there.
    if (exchange.access.may(exchange.visitor, repository, "push")) {
      await repositories.keepBlob(repository, digest);
    }
    return reply.header("content-length", size).send();
  }
  const unchanged = [undefined, etag].includes(request.headers["if-range"] as string | undefined);
  const range = unchanged ? readRange(request.headers.range, size) : undefined;
  if (range === null) {
    throw new Refusal("SIZE_INVALID", 416, `blob ${digest} has ${size} bytes`, {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  const { start, end } = range ?? { start: 0, end: size };
  if (range !== undefined) reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${size}`);
  const content = await blob.open(start, end);
  reply.raw.once("close", endStalled(request.raw.socket, deps.clock, stallMs));
  return reply.header("content-length", end - start).send(content);
}
