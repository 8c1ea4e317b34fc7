/** One image of parts that lie one over the other, with changes to its config. Its layers are those of the parts, byte for byte. */
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { digestOf } from "../digest.ts";
import { findManifest, readDocument } from "../import-image.ts";
import { asObject, asStrings, type JsonObject, member, parseJson } from "../json-check.ts";
import { makeManifest } from "../make-manifest.ts";
import { type Descriptor, mediaTypes } from "../oci.ts";
import type { ConfigChanges } from "../port.ts";
import type { Room } from "../room.ts";
import type { ImageSource } from "../sources.ts";
import { changeConfig, stackConfigs } from "./config-document.ts";
import type { Part } from "./part.ts";

type ComposeRoom = Pick<Room, "architecture" | "limits">;

interface ReadPart {
  readonly source: ImageSource;
  readonly layers: readonly Descriptor[];
  readonly config: JsonObject;
  readonly diffIds: readonly string[];
}

/** From the lowest up. A single part that nothing is changed of is handed on as it is. */
export async function composeImage(
  room: ComposeRoom,
  parts: readonly Part[],
  changes: ConfigChanges,
  signal: AbortSignal,
): Promise<Part> {
  const [only, ...others] = parts;
  if (only !== undefined && others.length === 0 && Object.keys(changes).length === 0) return only;
  const read: ReadPart[] = [];
  for (const part of parts) read.push(await readPart(room, part, signal));
  const stacked = read.map(({ config }) => config).reduce(stackConfigs);
  const config = Buffer.from(
    JSON.stringify({
      ...changeConfig(stacked, changes),
      rootfs: { type: "layers", diff_ids: read.flatMap(({ diffIds }) => diffIds) },
    }),
  );
  const layers = read.flatMap((part) => part.layers);
  const manifest = makeManifest(
    { digest: digestOf(config), size: config.length },
    layers.map(({ mediaType, digest, size }) => ({ mediaType: ociLayerType(mediaType), digest, size })),
  );
  const documents = new Map([
    [manifest.descriptor.digest, manifest.bytes],
    [digestOf(config), config],
  ]);
  return { descriptor: manifest.descriptor, source: composedSource(documents, read) };
}

async function readPart(room: ComposeRoom, part: Part, signal: AbortSignal): Promise<ReadPart> {
  const { descriptor, manifest } = await findManifest(room, part, signal);
  const what = `the config of image ${descriptor.digest}`;
  const config = parseJson(await readDocument(room, manifest.config, part.source), what);
  const rootfs = asObject(member(config, "rootfs"), `${what}: rootfs`);
  const diffIds = asStrings(member(rootfs, "diff_ids") ?? [], `${what}: rootfs.diff_ids`);
  if (diffIds.length !== manifest.layers.length) {
    throw new UniError("image_invalid", `read ${what}: its layers are not those of the manifest`);
  }
  return { source: part.source, layers: manifest.layers, config, diffIds };
}

function composedSource(documents: ReadonlyMap<Digest, Buffer>, parts: readonly ReadPart[]): ImageSource {
  const owner = ({ digest }: Descriptor): ImageSource => {
    const part = parts.find(({ layers }) => layers.some((layer) => layer.digest === digest));
    if (part === undefined) throw new UniError("internal", `compose an image: no part has ${digest}`);
    return part.source;
  };
  return {
    isStored: (descriptor) =>
      documents.has(descriptor.digest) ? undefined : owner(descriptor).isStored?.(descriptor),
    manifest: async (descriptor) =>
      documents.get(descriptor.digest) ?? (await owner(descriptor).manifest(descriptor)),
    async blob(descriptor) {
      const document = documents.get(descriptor.digest);
      return document === undefined ? owner(descriptor).blob(descriptor) : [document];
    },
  };
}

/** Docker's types of layers under the names that an OCI manifest has for them. */
function ociLayerType(mediaType: string): string {
  const compression = /^application\/vnd\.docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.(\w+))?$/.exec(
    mediaType,
  );
  if (compression === null) return mediaType;
  return compression[1] === undefined ? mediaTypes.layer : `${mediaTypes.layer}+${compression[1]}`;
}
