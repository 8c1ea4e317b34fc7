/** A registry for tests: serves what it was given, and does to any request whatever a test wants. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Blob } from "./image-archive.ts";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly bytes: Buffer;
}

/** Takes a request over by answering it; anything but true leaves it to the next, and in the end to the registry. */
export type Intercept = (seen: Seen, response: ServerResponse) => boolean | undefined;

export interface RegistryOptions {
  readonly tls?: { readonly cert: string; readonly key: string };
  /** `user:password`; asked for as a password, or through the token server that it is itself. */
  readonly secret?: string;
  readonly scheme?: "basic" | "bearer";
}

export class HostileRegistry {
  readonly blobs = new Map<string, Buffer>();
  /** By tag or digest, whatever the repository. */
  readonly manifests = new Map<string, Blob>();
  readonly seen: Seen[] = [];
  readonly intercepts: Intercept[] = [];
  readonly #options: RegistryOptions;
  readonly #server;

  constructor(options: RegistryOptions = {}) {
    this.#options = options;
    const listener: RequestListener = (request, response) => void this.#serve(request, response);
    this.#server =
      options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  }

  static async start(options: RegistryOptions = {}, port = 0): Promise<HostileRegistry> {
    const registry = new HostileRegistry(options);
    const { promise, resolve } = Promise.withResolvers<void>();
    registry.#server.listen(port, "127.0.0.1", resolve);
    await promise;
    return registry;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** A document under its digest and, if any, a tag; the other blobs beside it. */
  add([document, ...blobs]: readonly [Blob, ...Blob[]], tag?: string): void {
    this.manifests.set(document.digest, document);
    if (tag !== undefined) this.manifests.set(tag, document);
    for (const { digest, bytes } of blobs) this.blobs.set(digest, bytes);
  }

  /** How often a path that ends so was asked for. */
  count(end: string, method = "GET"): number {
    return this.seen.filter((each) => each.method === method && each.path.endsWith(end)).length;
  }

  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      // Cut off by its sender, or by the test.
      return void response.destroy();
    }
    const body = Buffer.concat(chunks);
    const { method = "", url: path = "", headers } = request;
    const seen = { method, path, headers, bytes: body, body: body.toString() };
    this.seen.push(seen);
    for (const intercept of [...this.intercepts]) if (intercept(seen, response) === true) return;
    if (seen.path.startsWith("/token")) return this.#token(seen, response);
    if (!this.#isAllowed(seen)) return this.#challenge(response);
    if (seen.path === "/v2/") return void response.writeHead(200).end();
    const [, kind, name = ""] = /\/(manifests|blobs)\/([^/?]+)$/.exec(seen.path) ?? [];
    const document = kind === "manifests" ? this.manifests.get(name) : undefined;
    const bytes = document?.bytes ?? (kind === "blobs" ? this.blobs.get(name) : undefined);
    if (bytes === undefined) refuse(response, 404, "MANIFEST_UNKNOWN");
    else sendBytes(seen, response, bytes, document);
  }

  #isAllowed({ headers: { authorization } }: Seen): boolean {
    const { secret, scheme = "basic" } = this.#options;
    if (secret === undefined) return true;
    return authorization === (scheme === "basic" ? basic(secret) : "Bearer good");
  }

  #challenge(response: ServerResponse): void {
    const { scheme = "basic" } = this.#options;
    const parameters = scheme === "basic" ? `realm="a, b"` : `realm="http://${this.host}/token",service="s"`;
    response.setHeader("www-authenticate", `${scheme === "basic" ? "Basic" : "Bearer"} ${parameters}`);
    refuse(response, 401, "UNAUTHORIZED");
  }

  #token({ headers, body }: Seen, response: ServerResponse): void {
    const { secret = "" } = this.#options;
    const isGood = headers.authorization === basic(secret) || body.includes("refresh_token=identity");
    if (!isGood) refuse(response, 401, "UNAUTHORIZED");
    else response.end(JSON.stringify({ token: "good", expires_in: 300 }));
  }
}

const basic = (secret: string): string => `Basic ${Buffer.from(secret).toString("base64")}`;

export function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status).end(JSON.stringify({ errors: [{ code, message: "said the registry" }] }));
}

/** With ranges, as registries serve them. */
export function sendBytes(
  { method, headers: { range } }: Seen,
  response: ServerResponse,
  bytes: Buffer,
  document?: Blob,
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const part = bytes.subarray(from);
  if (document !== undefined) {
    response.setHeader("content-type", document.mediaType);
    response.setHeader("docker-content-digest", document.digest);
  }
  response.setHeader("content-length", part.length);
  if (range !== undefined) {
    response.statusCode = 206;
    response.setHeader("content-range", `bytes ${from}-${bytes.length - 1}/${bytes.length}`);
  }
  response.end(method === "HEAD" ? undefined : part);
}
