/**
 * Brings one image from a source into the store: documents, blobs, root, then the row. Everything it needs is leased
 * first, so that a sweep beside it leaves it alone; a failure or a crash leaves only what the next sweep removes.
 */
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { sideBySide } from "../base/side-by-side.ts";
import type { ImageRow } from "../store/images.ts";
import { digestOf } from "./digest.ts";
import { fetchBlob } from "./fetch-blob.ts";
import { type ParsedConfig, parseImageConfig } from "./image-config.ts";
import { type Layer, openLayers } from "./layer-files.ts";
import { overLimit } from "./limits.ts";
import { missingLibraries } from "./missing-libraries.ts";
import { type Descriptor, type Manifest, parseDocument } from "./oci.ts";
import { choosePlatform, wrongPlatform } from "./platform.ts";
import type { ImageOptions } from "./port.ts";
import type { Room } from "./room.ts";
import { mergeLayers, rootKey } from "./roots.ts";
import type { ImageSource } from "./sources.ts";

export interface ImportRequest {
  readonly descriptor: Descriptor;
  readonly source: ImageSource;
  /** In canonical form; they are moved to the image. */
  readonly references: readonly string[];
}

const maxIndexDepth = 4;

export async function importImage(
  room: Room,
  request: ImportRequest,
  options: ImageOptions,
): Promise<Digest> {
  const { source, references } = request;
  const { descriptor, manifest, documents } = await findManifest(room, request, options.signal);
  const { digest } = descriptor;
  const indexes = [...documents.keys()].slice(0, -1);
  const what = `image ${digest}`;
  if (manifest.layers.length > room.limits.layers) {
    throw overLimit(`import ${what}`, "layers", room.limits.layers);
  }
  const blobs = [
    ...new Set([digest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)]),
  ];
  const release = room.leases.hold([...blobs, ...documents.keys()]);
  try {
    for (const [each, bytes] of documents) await storeDocument(room, each, bytes, options.signal);
    await room.tenant.keep([...documents.keys()]);
    const nameIt = () =>
      room.catalogueQueue.run("catalogue", () => nameStored(room, digest, references, indexes));
    const before = await nameIt();
    if (before === "named") return digest;
    const parsed = await importConfig(room, manifest.config, source, options.signal);
    checkConfig(parsed, manifest, { what, architecture: room.architecture });
    await ingestLayers(room, manifest.layers, source, options);
    // Another's, whose parts have been brought again: its root is there.
    if (before === "unproven" && (await nameIt()) === "named") return digest;
    const layers = manifest.layers.map((layer, index): Layer => {
      return { digest: layer.digest, diffId: parsed.diffIds[index] ?? layer.digest };
    });
    return await finish(room, { digest, indexes, blobs, layers, parsed, references }, options);
  } finally {
    release();
  }
}

/** Follows indexes down to the manifest for this machine; bytes are checked against their descriptors on the way. */
export async function findManifest(
  room: Pick<Room, "architecture" | "limits">,
  request: Pick<ImportRequest, "descriptor" | "source">,
  signal: AbortSignal,
) {
  let { descriptor } = request;
  const documents = new Map<Digest, Buffer>();
  for (let depth = 0; depth <= maxIndexDepth; depth++) {
    signal.throwIfAborted();
    const what = `image ${descriptor.digest}`;
    const bytes = await readDocument(room, descriptor, request.source);
    const document = parseDocument(bytes, what);
    documents.set(descriptor.digest, bytes);
    if (document.kind === "manifest") return { descriptor, manifest: document.manifest, documents };
    descriptor = choosePlatform(document.manifests, room.architecture, what);
  }
  throw new UniError(
    "image_invalid",
    `import image ${request.descriptor.digest}: too many indexes in indexes`,
  );
}

export async function readDocument(
  room: Pick<Room, "limits">,
  descriptor: Descriptor,
  source: ImageSource,
): Promise<Buffer> {
  checkDocumentSize(room, descriptor);
  return checkDocument(descriptor, await source.manifest(descriptor));
}

function checkDocumentSize(room: Pick<Room, "limits">, { digest, size }: Descriptor): void {
  if (size <= room.limits.documentBytes) return;
  throw overLimit(`read ${digest}`, "bytes a document", room.limits.documentBytes);
}

function checkDocument({ digest, size }: Descriptor, bytes: Buffer): Buffer {
  const found = digestOf(bytes);
  if (found === digest && bytes.length === size) return bytes;
  throw new UniError(
    "digest_mismatch",
    `read ${digest}: it has ${bytes.length} bytes and the digest ${found}`,
    {
      hint: "The image was damaged or changed on the way; fetch or build it again.",
    },
  );
}

async function storeDocument(room: Room, digest: Digest, bytes: Buffer, signal: AbortSignal): Promise<void> {
  if (await room.blobs.has(digest)) return;
  const what = `store document ${digest}`;
  await room.blobs.ingest([bytes], { what, digest, size: bytes.length, maxBytes: bytes.length, signal });
}

async function importConfig(room: Room, descriptor: Descriptor, source: ImageSource, signal: AbortSignal) {
  const { digest, size } = descriptor;
  checkDocumentSize(room, descriptor);
  if (!(await isHere(room, descriptor, source))) {
    const what = `store config ${digest}`;
    await room.blobs.ingest(await source.blob(descriptor), { what, digest, size, maxBytes: size, signal });
    await room.tenant.keep([digest]);
  }
  const bytes = checkDocument(descriptor, await room.blobs.read(digest));
  return parseImageConfig(bytes, `the config of image ${digest}`);
}

function checkConfig(
  parsed: ParsedConfig,
  manifest: Manifest,
  image: { readonly what: string; readonly architecture: string },
): void {
  const { os, config, diffIds } = parsed;
  if (os !== "linux" || config.architecture !== image.architecture) {
    throw wrongPlatform(image.what, image.architecture, [`${os}/${config.architecture}`]);
  }
  if (diffIds.length === manifest.layers.length) return;
  throw new UniError(
    "image_invalid",
    `import ${image.what}: it has ${manifest.layers.length} layers and its config names ${diffIds.length}`,
    { hint: "The image's config and layers do not belong together; build it again." },
  );
}

/** Progress is told again after so much more. */
const reportBytes = 256 * 1024;

/** As many at once as registries and disks like. The first that fails ends the others. */
const layersAtOnce = 3;

async function ingestLayers(
  room: Room,
  layers: readonly Descriptor[],
  source: ImageSource,
  options: ImageOptions,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const each = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  await sideBySide(each, layersAtOnce, async (layer) => {
    try {
      await ingestLayer(room, layer, source, { ...options, signal });
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
}

async function ingestLayer(
  room: Room,
  layer: Descriptor,
  source: ImageSource,
  { signal, onProgress }: ImageOptions,
): Promise<void> {
  const { digest, size } = layer;
  let reported = 0;
  const report = (current: number, message: string): void => {
    reported = current;
    onProgress({ step: "layer", layer: digest, message, current, total: size });
  };
  const onBytes = (current: number): void => {
    if (current - reported >= reportBytes) report(current, "receiving");
  };
  if (await isHere(room, layer, source)) {
    if (source.isStored?.(layer) !== true) report(size, "already there");
    return;
  }
  const origin = source.origin?.(layer);
  if (origin !== undefined) {
    await fetchBlob(room, layer, origin, { signal, onBytes });
  } else {
    const what = `store blob ${digest}`;
    const bytes = await source.blob(layer);
    await room.blobs.ingest(bytes, { what, digest, size, maxBytes: room.limits.bytes, signal, onBytes });
    await room.tenant.keep([digest]);
  }
  report(size, "received");
}

/** What another brought is brought again: else to name its digest would be enough to have it. */
async function isHere(room: Room, descriptor: Descriptor, source: ImageSource): Promise<boolean> {
  const { digest } = descriptor;
  const isStored = source.isStored?.(descriptor);
  if (isStored === undefined) return room.tenant.has(digest);
  return isStored && (await room.blobs.has(digest));
}

interface Gathered {
  readonly digest: Digest;
  /** From what the references mean down to the image, without it. */
  readonly indexes: readonly Digest[];
  readonly blobs: readonly Digest[];
  readonly layers: readonly Layer[];
  readonly parsed: ParsedConfig;
  readonly references: readonly string[];
}

async function finish(room: Room, image: Gathered, options: ImageOptions): Promise<Digest> {
  const { digest, indexes, blobs, parsed } = image;
  const key = rootKey(parsed.diffIds);
  const release = room.leases.hold([key]);
  try {
    await using layers = await openLayers(image.layers, { ...room, signal: options.signal });
    const tree = await mergeLayers(layers, room.limits, options);
    const missing = await missingLibraries(tree, layers.sources, parsed.config);
    const sizeBytes = await room.roots.ensure(key, tree, layers, options);
    const createdAt = parsed.created?.getTime() ?? room.clock.now();
    const config = JSON.stringify(parsed.config);
    const row: Omit<ImageRow, "references"> = {
      digest,
      createdAt,
      sizeBytes,
      root: key,
      config,
      blobs,
      missing,
    };
    options.signal.throwIfAborted();
    await room.catalogueQueue.run("catalogue", () => room.catalogue.put(row, image.references, indexes));
    room.log.info({ digest, references: image.references, sizeBytes }, "image stored");
    return digest;
  } finally {
    release();
  }
}

/**
 * Gives an image that is there already its new names. Not if somebody took its root away by hand; nor while the tenant has not
 * brought each part of it.
 */
async function nameStored(
  room: Room,
  digest: Digest,
  references: readonly string[],
  indexes: readonly Digest[],
): Promise<"named" | "absent" | "unproven"> {
  const row = (await room.all.catalogue.list()).find((each) => each.digest === digest);
  if (row === undefined || (await room.roots.size(row.root)) === undefined) return "absent";
  for (const blob of row.blobs) if (!(await room.tenant.has(blob))) return "unproven";
  await room.catalogue.put(row, references, indexes);
  return "named";
}
