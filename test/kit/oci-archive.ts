/** Makes OCI archives for tests: as they should be, and with single things wrong. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { makeTar, type TarMember } from "./tar-writer.ts";

export interface OciImage {
  /** From the lowest; each a list of tar members. */
  readonly layers: readonly (readonly TarMember[])[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
  /** Changes the stored bytes of a blob after its digest was taken. */
  readonly spoil?: (kind: "config" | "layer" | "manifest", bytes: Buffer) => Buffer;
}

const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const thisArchitecture = process.arch === "arm64" ? "arm64" : "amd64";

export function makeOciArchive({
  layers,
  config = {},
  architecture = thisArchitecture,
  spoil,
}: OciImage): Buffer {
  const members: TarMember[] = [];
  const store = (kind: "config" | "layer" | "manifest", mediaType: string, bytes: Buffer) => {
    const hex = digestOf(bytes);
    members.push({ name: `blobs/sha256/${hex}`, content: spoil === undefined ? bytes : spoil(kind, bytes) });
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const tars = layers.map((layer) => makeTar(layer));
  const layerDescriptors = tars.map((tar) =>
    store("layer", "application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(tar)),
  );
  const imageConfig = {
    architecture,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: tars.map((tar) => `sha256:${digestOf(tar)}`) },
  };
  const configDescriptor = store(
    "config",
    "application/vnd.oci.image.config.v1+json",
    Buffer.from(JSON.stringify(imageConfig)),
  );
  const manifest = { schemaVersion: 2, config: configDescriptor, layers: layerDescriptors };
  const manifestDescriptor = store(
    "manifest",
    "application/vnd.oci.image.manifest.v1+json",
    Buffer.from(JSON.stringify(manifest)),
  );
  const index = { schemaVersion: 2, manifests: [manifestDescriptor] };
  return makeTar([
    { name: "oci-layout", content: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    { name: "index.json", content: JSON.stringify(index) },
    ...members,
  ]);
}
