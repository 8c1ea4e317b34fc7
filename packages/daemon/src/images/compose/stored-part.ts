import { stat } from "node:fs/promises";
import { UniError } from "@uni/contract/errors";
import type { Supply } from "../base-images.ts";
import { storedSource } from "../load-archive.ts";
import { mediaTypes } from "../oci.ts";
import type { ImageOptions } from "../port.ts";
import { findImage } from "../resolve-image.ts";
import type { Room } from "../room.ts";
import type { Hold } from "./made-part.ts";
import type { Part } from "./part.ts";

export interface StoredPartRequest {
  readonly reference: string;
  /** What it is to be, for the error. */
  readonly use: string;
  readonly hold: Hold;
  readonly supply: Supply;
}

/** An image of the store, or of a registry, as a part of another. */
export async function storedPart(
  room: Room,
  { reference, use, hold, supply }: StoredPartRequest,
  options: ImageOptions,
): Promise<Part> {
  const digest = await supply.fetch(reference, options).catch((error: unknown) => {
    if (!(error instanceof UniError) || !["image_not_found", "unreachable"].includes(error.code)) throw error;
    throw new UniError(error.code, `take "${reference.slice(0, 300)}" as ${use}: ${error.message}`, {
      hint: "Load or build it first. A runtime that only names a kernel, such as base-compat:latest, is always there: Uni boots its own.",
      cause: error,
    });
  });
  const { blobs } = findImage(await room.catalogue.list(), digest);
  hold(blobs);
  const { size } = await stat(room.blobs.path(digest));
  return {
    descriptor: { mediaType: mediaTypes.manifest, digest, size, platform: undefined, annotations: {} },
    source: storedSource(room),
  };
}
