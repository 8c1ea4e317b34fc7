/** An image in a directory as containers-image's `dir:` transport lays it out: manifest.json, and blobs named by their digits. */
import { createReadStream } from "node:fs";
import { link, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@uni/contract/ids";
import { digestOf } from "./digest.ts";
import { type Descriptor, mediaTypes } from "./oci.ts";
import type { ImageSource } from "./sources.ts";

export async function directoryDescriptor(directory: string): Promise<Descriptor> {
  const bytes = await readFile(join(directory, "manifest.json"));
  return {
    mediaType: mediaTypes.manifest,
    digest: digestOf(bytes),
    size: bytes.length,
    platform: undefined,
    annotations: {},
  };
}

export function directorySource(directory: string): ImageSource {
  const pathOf = ({ digest }: Descriptor): string => join(directory, digest.slice("sha256:".length));
  return {
    async manifest(descriptor) {
      const manifest = await readFile(join(directory, "manifest.json"));
      return digestOf(manifest) === descriptor.digest ? manifest : readFile(pathOf(descriptor));
    },
    blob: async (descriptor) => createReadStream(pathOf(descriptor), { highWaterMark: 1 << 18 }),
  };
}

/** Lays an image out that way in an empty directory, by links to its blobs. */
export async function writeDirectoryImage(
  directory: string,
  manifest: Digest,
  blobs: readonly Digest[],
  pathOf: (digest: Digest) => string,
): Promise<void> {
  for (const digest of new Set(blobs)) {
    const name = digest === manifest ? "manifest.json" : digest.slice("sha256:".length);
    await link(pathOf(digest), join(directory, name));
  }
  await writeFile(join(directory, "version"), "Directory Transport Version: 1.1\n");
}
