/** Puts together OCI layouts in a tar for tests. */
import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { makeTar, type TarMember } from "./tar-writer.ts";

export type Compress = "none" | "gzip" | "zstd";

export interface TestImage {
  readonly layers: readonly Buffer[];
  readonly compress?: Compress;
  readonly name?: string;
  readonly architecture?: string;
  /** Members of the config's config. */
  readonly config?: object;
  /** Given in place of the true ones. */
  readonly diffIds?: readonly string[];
  readonly docker?: boolean;
}

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
}

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const packers = {
  none: (bytes: Buffer): Buffer => bytes,
  gzip: (bytes: Buffer): Buffer => gzipSync(bytes),
  zstd: (bytes: Buffer): Buffer => zstdCompressSync(bytes),
} as const satisfies Record<Compress, (bytes: Buffer) => Buffer>;

export const pack = (compress: Compress, bytes: Buffer): Buffer => packers[compress](bytes);

const blob = (mediaType: string, bytes: Buffer): Blob => ({
  mediaType,
  digest: sha256(bytes),
  size: bytes.length,
  bytes,
});

export const describe = ({ mediaType, digest, size }: Blob) => ({ mediaType, digest, size });

/** Manifest first, then the config and the layers. */
export function imageBlobs(image: TestImage): readonly [Blob, ...Blob[]] {
  const compress = image.compress ?? "none";
  const suffix = compress === "none" ? "" : image.docker ? `.${compress}` : `+${compress}`;
  const layerType = image.docker
    ? `application/vnd.docker.image.rootfs.diff.tar${suffix}`
    : `application/vnd.oci.image.layer.v1.tar${suffix}`;
  const layers = image.layers.map((layer) => blob(layerType, pack(compress, layer)));
  const config = blob(
    image.docker
      ? "application/vnd.docker.container.image.v1+json"
      : "application/vnd.oci.image.config.v1+json",
    Buffer.from(
      JSON.stringify({
        architecture: image.architecture ?? "amd64",
        os: "linux",
        config: image.config ?? {},
        rootfs: { type: "layers", diff_ids: image.diffIds ?? image.layers.map(sha256) },
      }),
    ),
  );
  const manifestType = image.docker
    ? "application/vnd.docker.distribution.manifest.v2+json"
    : "application/vnd.oci.image.manifest.v1+json";
  const manifest = blob(
    manifestType,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: describe(config),
        layers: layers.map(describe),
      }),
    ),
  );
  return [manifest, config, ...layers];
}

export function indexBlob(manifests: readonly object[]): Blob {
  const mediaType = "application/vnd.oci.image.index.v1+json";
  return blob(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })));
}

/** `top` are the descriptors of index.json. */
export function layoutTar(top: readonly object[], blobs: readonly Blob[]): Buffer {
  const members: TarMember[] = [
    { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: "index.json", content: JSON.stringify({ schemaVersion: 2, manifests: top }) },
    ...blobs.map(({ digest, bytes }) => ({ name: `blobs/sha256/${digest.slice(7)}`, content: bytes })),
  ];
  return makeTar(members);
}

export function imageArchive(...images: readonly TestImage[]): Buffer {
  const all = images.map((image) => ({ image, blobs: imageBlobs(image) }));
  const top = all.map(({ image, blobs }) => ({
    ...describe(blobs[0]),
    ...(image.name === undefined ? {} : { annotations: { "org.opencontainers.image.ref.name": image.name } }),
  }));
  return layoutTar(
    top,
    all.flatMap(({ blobs }) => blobs),
  );
}
