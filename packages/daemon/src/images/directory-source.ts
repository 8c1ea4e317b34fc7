/** An image in a directory as containers-image's `dir:` transport lays it out: manifest.json, and blobs named by their digits. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
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
