/** A registry for tests that takes pushes: uploads in chunks, mounts and manifests, as the distribution protocol has them. */
import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { HostileRegistry, refuse, type Seen } from "./hostile-registry.ts";

export interface UploadRegistry {
  readonly registry: HostileRegistry;
  /** Bytes of the uploads that were begun, by their id. */
  readonly uploads: Map<string, Buffer>;
  /** By repository, what is in it: a mount is possible from there. */
  readonly holdings: Map<string, Set<string>>;
}

export async function startUploadRegistry(): Promise<UploadRegistry> {
  const registry = await HostileRegistry.start();
  const state: UploadRegistry = { registry, uploads: new Map(), holdings: new Map() };
  registry.intercepts.push((seen, response) => take(state, seen, response));
  return state;
}

function take(state: UploadRegistry, seen: Seen, response: ServerResponse): boolean {
  const url = new URL(seen.path, `http://${state.registry.host}`);
  const [, repository = "", id] = /^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/.exec(url.pathname) ?? [];
  if (id !== undefined) return serveUpload(state, seen, { url, repository, id, response });
  const [, , tag = ""] = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(url.pathname) ?? [];
  if (seen.method === "PUT" && tag !== "") return putManifest(state, seen, tag, response);
  return false;
}

interface Place {
  readonly url: URL;
  readonly repository: string;
  readonly id: string;
  readonly response: ServerResponse;
}

function serveUpload(state: UploadRegistry, seen: Seen, { url, repository, id, response }: Place): boolean {
  const { uploads, holdings, registry } = state;
  const hold = (digest: string): void => {
    const held = holdings.get(repository) ?? new Set();
    holdings.set(repository, held.add(digest));
  };
  const tell = (status: number, upload: string): void => {
    const size = uploads.get(upload)?.length ?? 0;
    response.setHeader("location", `/v2/${repository}/blobs/uploads/${upload}`);
    response.setHeader("range", `0-${Math.max(0, size - 1)}`);
    response.writeHead(status).end();
  };
  if (seen.method === "POST") {
    const mount = url.searchParams.get("mount");
    const from = url.searchParams.get("from") ?? "";
    if (mount !== null && holdings.get(from)?.has(mount) === true) {
      hold(mount);
      response.writeHead(201).end();
      return true;
    }
    const upload = `u${uploads.size}`;
    uploads.set(upload, Buffer.alloc(0));
    tell(202, upload);
    return true;
  }
  const before = uploads.get(id);
  if (before === undefined) refuse(response, 404, "BLOB_UPLOAD_UNKNOWN");
  else if (seen.method === "GET") tell(204, id);
  else if (seen.method === "DELETE") {
    uploads.delete(id);
    response.writeHead(204).end();
  } else if (seen.method === "PATCH") {
    const start = Number(/^(\d+)-/.exec(seen.headers["content-range"] ?? "")?.[1] ?? 0);
    if (start !== before.length) refuse(response, 416, "BLOB_UPLOAD_INVALID");
    else {
      uploads.set(id, Buffer.concat([before, seen.bytes]));
      tell(202, id);
    }
  } else {
    const whole = Buffer.concat([before, seen.bytes]);
    const digest = `sha256:${createHash("sha256").update(whole).digest("hex")}`;
    uploads.delete(id);
    if (digest !== url.searchParams.get("digest")) refuse(response, 400, "DIGEST_INVALID");
    else {
      registry.blobs.set(digest, whole);
      hold(digest);
      response.writeHead(201).end();
    }
  }
  return true;
}

function putManifest(
  { registry }: UploadRegistry,
  seen: Seen,
  tag: string,
  response: ServerResponse,
): boolean {
  const digest = `sha256:${createHash("sha256").update(seen.bytes).digest("hex")}`;
  const mediaType = seen.headers["content-type"] ?? "";
  const document = { mediaType, digest, size: seen.bytes.length, bytes: seen.bytes };
  registry.manifests.set(digest, document);
  registry.manifests.set(tag, document);
  response.setHeader("docker-content-digest", digest);
  response.writeHead(201).end();
  return true;
}
