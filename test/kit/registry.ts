/** The registry on the real listener, over a store of its own, and a plain client. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { asAccountId } from "@uni/contract/ids";
import { createFakeCore } from "../../packages/daemon/src/api/fake-core.ts";
import { startHttp } from "../../packages/daemon/src/api/http.ts";
import type { ApiDependencies, Authenticate } from "../../packages/daemon/src/api/port.ts";
import { type Clock, systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import {
  createImages,
  type ImagesOptions,
  type OpenImages,
} from "../../packages/daemon/src/images/images.ts";
import { createRemote } from "../../packages/daemon/src/images/remote/client.ts";
import type { Accounts } from "../../packages/daemon/src/images/tenancy/names.ts";
import { registry } from "../../packages/daemon/src/registry/registry.ts";
import { createBlobHolders } from "../../packages/daemon/src/store/blob-holders.ts";
import { createImageCatalogue } from "../../packages/daemon/src/store/images.ts";
import { openDatabase } from "../../packages/daemon/src/store/open.ts";
import { createPulledReferences } from "../../packages/daemon/src/store/pulled-references.ts";
import { createRepositoryCatalogue } from "../../packages/daemon/src/store/repositories.ts";
import { imageBlobs, sha256, type TestImage } from "./image-archive.ts";

export interface RegistryReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  readonly json: any;
  /** Of the first error. */
  readonly code: string | undefined;
}

export interface SendOptions {
  readonly body?: Uint8Array | string | Readable;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whose token goes along; null: none. */
  readonly token?: string | null;
}

export const adminToken = "token-of-the-admin";
export const teamToken = "token-of-a-team";
export const crewToken = "token-of-a-crew";
export const teamAccount = asAccountId("11111111-1111-4111-8111-111111111111");
export const crewAccount = asAccountId("22222222-2222-4222-8222-222222222222");
export const adminAccount = asAccountId("00000000-0000-4000-8000-000000000000");
export const accounts: Accounts = [
  { id: adminAccount, name: "admin" },
  { id: teamAccount, name: "team" },
  { id: crewAccount, name: "crew" },
];

export const manifestType = "application/vnd.oci.image.manifest.v1+json";
export const indexType = "application/vnd.oci.image.index.v1+json";
/** Of something that nobody has. */
export const unknownDigest = sha256(Buffer.from("nobody has this"));

export class TestRegistry {
  readonly directory: string;
  readonly address: string;
  readonly images: OpenImages;

  constructor(directory: string, address: string, images: OpenImages) {
    this.directory = directory;
    this.address = address;
    this.images = images;
  }

  send(method: string, path: string, options: SendOptions = {}): Promise<RegistryReply> {
    const { body, headers = {}, token = adminToken } = options;
    const { promise, resolve, reject } = Promise.withResolvers<RegistryReply>();
    const isWhole = typeof body === "string" || body instanceof Uint8Array;
    const outgoing = request(`http://${this.address}${path}`, {
      method,
      agent: false,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(isWhole ? { "content-length": Buffer.byteLength(body) } : {}),
        ...headers,
      },
    });
    outgoing.on("error", reject);
    outgoing.on("response", async (incoming) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of incoming) chunks.push(chunk as Buffer);
        const bytes = Buffer.concat(chunks);
        const isJson = /json/.test(incoming.headers["content-type"] ?? "") && bytes.length > 0;
        const json = isJson ? JSON.parse(bytes.toString()) : undefined;
        const code = json?.errors?.[0]?.code;
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, bytes, json, code });
      } catch (error) {
        reject(error);
      }
    });
    if (body === undefined || isWhole) outgoing.end(body);
    else body.pipe(outgoing);
    return promise;
  }

  /** The path of a new upload. */
  async begin(repository: string, token = adminToken): Promise<string> {
    const { status, headers } = await this.send("POST", `/v2/${repository}/blobs/uploads/`, { token });
    assert.equal(status, 202);
    return headers.location ?? "";
  }

  /** Pushes a blob, and returns its digest. */
  async blob(repository: string, bytes: Uint8Array, token = adminToken): Promise<string> {
    const digest = sha256(bytes);
    const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`;
    const { status, bytes: answer } = await this.send("POST", path, { body: bytes, token });
    assert.equal(status, 201, answer.toString());
    return digest;
  }

  put(repository: string, reference: string, document: object | Buffer, options: SendOptions = {}) {
    const body = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document));
    const { mediaType = manifestType } = Buffer.isBuffer(document)
      ? {}
      : (document as { mediaType?: string });
    return this.send("PUT", `/v2/${repository}/manifests/${reference}`, {
      ...options,
      body,
      headers: { "content-type": mediaType, ...options.headers },
    });
  }

  /** Pushes an image with its blobs; returns the digest of its manifest. */
  async push(repository: string, tag: string, image: TestImage, token = adminToken): Promise<string> {
    const [manifest, ...blobs] = imageBlobs(image);
    for (const { bytes } of blobs) await this.blob(repository, bytes, token);
    const { status, json } = await this.put(repository, tag, manifest.bytes, {
      headers: { "content-type": manifest.mediaType },
      token,
    });
    assert.equal(status, 201, JSON.stringify(json));
    return manifest.digest;
  }
}

export interface RegistryTestOptions {
  readonly clock?: Clock;
  readonly images?: Partial<ImagesOptions>;
  /** What stands behind the REST API in place of the memory core. */
  readonly api?: (images: OpenImages, authenticate: Authenticate) => Promise<Partial<ApiDependencies>>;
}

export async function withRegistry(
  body: (server: TestRegistry) => Promise<void>,
  { clock = systemClock, images: overrides = {}, api }: RegistryTestOptions = {},
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-registry-"));
  const db = await openDatabase(join(directory, "uni.db"));
  const remote = createRemote({ clock, log: silentLog });
  const images = await createImages({
    clock,
    log: silentLog,
    directory: join(directory, "images"),
    catalogue: createImageCatalogue(db),
    repositories: createRepositoryCatalogue(db),
    holders: createBlobHolders(db),
    pulled: createPulledReferences(db),
    architecture: "amd64",
    builders: [],
    accounts,
    remote,
    ...overrides,
  });
  const tokens = new Map([
    [adminToken, adminAccount],
    [teamToken, teamAccount],
    [crewToken, crewAccount],
  ]);
  const authenticate = (token: string) => tokens.get(token);
  const plugin = registry({
    repositoriesOf: (account) => images.of(account).repositories,
    authenticate,
    namespaceOf: (account) =>
      account === adminAccount ? undefined : accounts.find(({ id }) => id === account)?.name,
    key: Buffer.alloc(32, 7),
    clock,
    log: silentLog,
  });
  const options = { host: "127.0.0.1", port: 0, log: silentLog, clock, plugins: [plugin] };
  const core = { ...createFakeCore(), ...(await api?.(images, authenticate)) };
  const listener = await startHttp(core, options);
  try {
    await body(new TestRegistry(join(directory, "images"), listener.address, images));
  } finally {
    await listener.close();
    await images.close();
    remote.close();
    await db.destroy();
    rmSync(directory, { recursive: true });
  }
}

/** A manifest of something with one config and layers, and what has to be pushed before it. */
export function artifact(more: object = {}, layers: readonly Buffer[] = [Buffer.from("a layer")]) {
  const config = Buffer.from("{}");
  const entry = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: entry("application/vnd.oci.empty.v1+json", config),
    layers: layers.map((layer) => entry("application/octet-stream", layer)),
    ...more,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return { manifest, bytes, digest: sha256(bytes), size: bytes.length, blobs: [config, ...layers] };
}

/** Pushes it and returns its descriptor. */
export async function pushArtifact(
  server: TestRegistry,
  { repository, reference, more }: { repository: string; reference?: string; more?: object },
) {
  const { bytes, blobs, digest, size } = artifact(more);
  for (const blob of blobs) await server.blob(repository, blob);
  const answer = await server.put(repository, reference ?? digest, bytes);
  assert.equal(answer.status, 201, JSON.stringify(answer.json));
  return { digest, size, mediaType: manifestType, headers: answer.headers };
}

export const indexOf = (
  manifests: readonly { mediaType: string; digest: string; size: number }[],
  more: object = {},
) => ({
  schemaVersion: 2,
  mediaType: indexType,
  manifests: manifests.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  ...more,
});
