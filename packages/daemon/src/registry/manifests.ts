import type { FastifyReply } from "fastify";
import { readBody } from "./bodies.ts";
import { type Exchange, isMatch } from "./exchange.ts";
import { refusal, toRefusal } from "./refusals.ts";

interface Named {
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
}

const maxManifestBytes = 4 << 20;

export async function serveManifest(exchange: Exchange, named: Named): Promise<FastifyReply> {
  const { repositories, request, reply } = exchange;
  switch (request.method) {
    case "GET":
    case "HEAD":
      return await sendManifest(exchange, named);
    case "PUT":
      return await takeManifest(exchange, named);
    case "DELETE":
      await repositories.removeManifest(named.repository, named.reference);
      return reply.code(202).send();
    default:
      throw refusal("UNSUPPORTED", 405, `${request.method} is not for manifests`);
  }
}

async function sendManifest(
  { repositories, request, reply }: Exchange,
  { repository, reference }: Named,
): Promise<FastifyReply> {
  const found = await repositories.manifest(repository, reference);
  if (found === undefined) {
    throw refusal("MANIFEST_UNKNOWN", 404, `"${repository}" has no manifest "${reference}"`);
  }
  const { digest, mediaType, bytes } = found;
  const etag = `"${digest}"`;
  reply.headers({ "docker-content-digest": digest, etag });
  if (isMatch(request, etag)) return reply.code(304).send();
  reply.header("content-type", mediaType);
  if (request.method === "HEAD") return reply.header("content-length", bytes.length).send();
  return reply.send(bytes);
}

async function takeManifest(
  { repositories, request, reply }: Exchange,
  { repository, reference }: Named,
): Promise<FastifyReply> {
  const bytes = await readBody(request.raw, maxManifestBytes, "a manifest");
  const mediaType = request.headers["content-type"]?.split(";")[0]?.trim();
  try {
    const { digest, subject } = await repositories.putManifest({
      repository,
      reference,
      bytes,
      mediaType: mediaType === "" ? undefined : mediaType,
    });
    if (subject !== undefined) reply.header("oci-subject", subject);
    const location = `/v2/${repository}/manifests/${digest}`;
    return reply.code(201).headers({ location, "docker-content-digest": digest }).send();
  } catch (error) {
    const { code, status, message, hint } = toRefusal(error, "manifest");
    throw refusal(code === "MANIFEST_UNKNOWN" ? "MANIFEST_BLOB_UNKNOWN" : code, status, message, hint);
  }
}
