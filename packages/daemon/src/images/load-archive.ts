/** Reads an uploaded image archive: OCI layout or docker-archive in a tar; plain, gzip or zstd. */
import { createReadStream } from "node:fs";
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { type Archive, openArchive } from "./archive.ts";
import { fileSource } from "./byte-source.ts";
import { decompressFile, detectCompression } from "./compression.ts";
import { findDockerImages, storeDockerImage } from "./docker-archive.ts";
import { importImage } from "./import-image.ts";
import { findOciImages, ociSource } from "./oci-layout.ts";
import type { ImageOptions } from "./port.ts";
import type { Room } from "./room.ts";
import type { ScratchFile } from "./scratch.ts";
import type { ImageSource } from "./sources.ts";
import { type Spooled, spool } from "./spool.ts";

const what = "receive the archive";

export async function loadArchive(
  room: Room,
  bytes: AsyncIterable<Uint8Array>,
  reference: string | undefined,
  options: ImageOptions,
): Promise<Digest[]> {
  await using received = await receivePlain(room, bytes, options);
  const archive = await openArchive(fileSource(received.file.handle, received.size), room.limits);
  const isOci = archive.find("index.json") !== undefined && archive.find("oci-layout") !== undefined;
  if (!isOci && archive.find("manifest.json") === undefined) {
    throw new UniError("image_invalid", "read an image archive: neither an OCI layout nor a docker-archive", {
      hint: "Save an image with docker save, skopeo copy or buildah push. For a tar of a root file system use uni build.",
    });
  }
  const load = isOci ? loadOci : loadDocker;
  // Awaited here: what was received is removed when this function ends.
  return await load(room, archive, reference, options);
}

async function loadOci(
  room: Room,
  archive: Archive,
  reference: string | undefined,
  options: ImageOptions,
): Promise<Digest[]> {
  const found = await findOciImages(archive, room.architecture);
  checkCount(found.length, reference);
  const source = ociSource(archive);
  const digests: Digest[] = [];
  for (const { descriptor, references } of found) {
    const names = reference === undefined ? references : [reference];
    digests.push(await importImage(room, { descriptor, source, references: names }, options));
  }
  return digests;
}

async function loadDocker(
  room: Room,
  archive: Archive,
  reference: string | undefined,
  options: ImageOptions,
): Promise<Digest[]> {
  const found = await findDockerImages(archive);
  checkCount(found.length, reference);
  const digests: Digest[] = [];
  for (const image of found) {
    const releases: (() => void)[] = [];
    try {
      const onStored = (digest: Digest): void => void releases.push(room.leases.hold([digest]));
      const { descriptor, references } = await storeDockerImage(room, archive, image, {
        ...options,
        onStored,
      });
      const names = reference === undefined ? references : [reference];
      digests.push(
        await importImage(room, { descriptor, source: storedSource(room), references: names }, options),
      );
    } finally {
      for (const release of releases) release();
    }
  }
  return digests;
}

function checkCount(count: number, reference: string | undefined): void {
  if (count === 0) throw new UniError("image_invalid", "read an image archive: there is no image in it");
  if (reference === undefined || count === 1) return;
  throw new UniError("invalid_value", `load an archive as "${reference}": there are ${count} images in it`, {
    hint: "Leave the name out: the images keep the names they have in the archive.",
  });
}

/** For images whose blobs are in the store already. */
export function storedSource(room: Room): ImageSource {
  return {
    isStored: () => true,
    manifest: ({ digest }) => room.blobs.read(digest),
    blob: async ({ digest }) => createReadStream(room.blobs.path(digest)),
  };
}

export interface Received extends AsyncDisposable, Spooled {
  readonly file: ScratchFile;
}

/** Takes an upload into a scratch file and undoes its compression. */
export async function receivePlain(
  room: Room,
  bytes: AsyncIterable<Uint8Array>,
  options: ImageOptions,
): Promise<Received> {
  const packed = await receive(room, bytes, options);
  const source = fileSource(packed.file.handle, packed.size);
  try {
    const compression = await detectCompression(source, "the archive");
    if (compression === "none") return packed;
    const { ratio, ratioFreeBytes, bytes: most } = room.limits;
    const byRatio = Math.max(ratioFreeBytes, packed.size * ratio);
    const content = decompressFile(packed.file.path, source, compression, "the archive");
    const plain = await receive(room, content, options, {
      maxBytes: Math.min(byRatio, most),
      limitName: byRatio < most ? `bytes, ${ratio} times its compressed size` : "bytes an archive",
    });
    await packed[Symbol.asyncDispose]();
    return plain;
  } catch (error) {
    await packed[Symbol.asyncDispose]();
    throw error;
  }
}

async function receive(
  room: Room,
  bytes: AsyncIterable<Uint8Array>,
  options: ImageOptions,
  limit = { maxBytes: room.limits.bytes, limitName: "bytes an archive" },
): Promise<Received> {
  const file = await room.scratch.file();
  const dispose = (): PromiseLike<void> => file[Symbol.asyncDispose]();
  try {
    const spooled = await spool(bytes, file.handle, { what, signal: options.signal, ...limit });
    return { ...spooled, file, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
