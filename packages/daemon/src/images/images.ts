/** The images room: a content-addressed store of blobs and roots, a catalogue of names, and the ways in. */
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import { KeyedQueue } from "../base/keyed-queue.ts";
import type { Log } from "../base/log.ts";
import { ensureDirectory } from "../host/files.ts";
import type { ImageRow } from "../store/images.ts";
import { BlobStore } from "./blob-store.ts";
import { buildImage } from "./build-image.ts";
import { createBuildahBuilder } from "./buildah.ts";
import type { Builder } from "./builder.ts";
import type { Catalogue, RepositoryCatalogue } from "./catalogue.ts";
import { type FreeBytes, freeBytesOf } from "./disk-space.ts";
import { createDockerBuilder } from "./docker-builder.ts";
import { imageHistory } from "./history.ts";
import { openImage } from "./inside/open-image.ts";
import { Leases } from "./leases.ts";
import { defaultLimits, type ImageLimits } from "./limits.ts";
import { loadArchive } from "./load-archive.ts";
import { hostArchitecture } from "./platform.ts";
import type { Image, ImageConfig, Images } from "./port.ts";
import { canonicalReference } from "./reference.ts";
import { removeImage } from "./remove-image.ts";
import { findImage } from "./resolve-image.ts";
import type { Room } from "./room.ts";
import { Roots } from "./roots.ts";
import { saveImages } from "./save/save-images.ts";
import { Scratch } from "./scratch.ts";
import { sweep } from "./sweep.ts";

export interface ImagesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly directory: string;
  readonly catalogue: Catalogue;
  readonly repositories: RepositoryCatalogue;
  /** Of this machine, unless a test says otherwise. */
  readonly architecture?: string;
  readonly limits?: Partial<ImageLimits>;
  readonly freeBytes?: FreeBytes;
  /** In order of preference; the first that is available builds. */
  readonly builders?: readonly Builder[];
}

export async function createImages(options: ImagesOptions): Promise<Images> {
  const room = await openRoom(options);
  const builders = options.builders ?? [
    createBuildahBuilder({ directory: join(options.directory, "build") }),
    createDockerBuilder(),
  ];
  const byDigest = async (digest: Digest): Promise<Image> =>
    toImage(room, findImage(await room.catalogue.list(), digest));

  return {
    resolve: async (reference) => toImage(room, findImage(await room.catalogue.list(), reference)),
    list: async () => (await room.catalogue.list()).map((row) => toImage(room, row)),
    history: (reference) => imageHistory(room, reference),
    save: (references, format, signal) => saveImages(room, { references, format, signal }),
    open: (reference) => openImage(room, reference),
    remove: (reference, inUse) => removeImage(room, reference, inUse),
    async tag(source, reference) {
      const name = canonicalReference(reference);
      await room.catalogueQueue.run("catalogue", async () => {
        const row = findImage(await room.catalogue.list(), source);
        await room.catalogue.put(row, [name]);
      });
    },
    async load(archive, reference, how) {
      const name = reference === undefined ? undefined : canonicalReference(reference);
      return Promise.all((await loadArchive(room, archive, name, how)).map(byDigest));
    },
    async build(upload, request, how) {
      const reference = canonicalReference(request.reference);
      return byDigest(await buildImage(room, builders, { upload, request: { ...request, reference } }, how));
    },
    async collect({ inUse, buildCache = false } = {}) {
      const freed = await sweep(room, inUse);
      for (const builder of builders) await builder.prune({ cache: buildCache });
      return freed;
    },
  };
}

async function openRoom(options: ImagesOptions): Promise<Room> {
  const { directory, clock, log, catalogue, repositories } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const free = options.freeBytes ?? freeBytesOf;
  const scratch = new Scratch(join(directory, "tmp"));
  const blobs = new BlobStore(join(directory, "blobs", "sha256"), scratch, free);
  const roots = new Roots(join(directory, "roots"), { scratch, free, limits });
  // VMM processes, which run as users of their own, reach the roots through it.
  await ensureDirectory(directory, 0o755);
  await scratch.open();
  await blobs.open();
  await roots.open();
  return {
    clock,
    log,
    catalogue,
    repositories,
    blobs,
    roots,
    scratch,
    limits,
    leases: new Leases(),
    architecture: options.architecture ?? hostArchitecture(),
    catalogueQueue: new KeyedQueue(),
  };
}

function toImage(room: Room, row: ImageRow): Image {
  return {
    digest: row.digest,
    references: row.references,
    createdAt: new Date(row.createdAt),
    sizeBytes: row.sizeBytes,
    rootPath: room.roots.path(row.root),
    config: readConfig(row),
    missing: row.missing,
  };
}

function readConfig(row: ImageRow): ImageConfig {
  try {
    return JSON.parse(row.config) as ImageConfig;
  } catch (error) {
    throw new UniError("internal", `read the config of image ${row.digest}`, { cause: error });
  }
}
