import { stat } from "node:fs/promises";
import { UniError } from "@uni/contract/errors";
import type { ImageRow } from "../../store/images.ts";
import { storedSource } from "../load-archive.ts";
import { mediaTypes } from "../oci.ts";
import { findImage } from "../resolve-image.ts";
import type { Room } from "../room.ts";
import type { Hold } from "./made-part.ts";
import type { Part } from "./part.ts";

/** An image of the store as a part of another. `use` says what it is to be, for the error. */
export async function storedPart(room: Room, reference: string, use: string, hold: Hold): Promise<Part> {
  const { digest, blobs } = findRow(await room.catalogue.list(), reference, use);
  hold(blobs);
  const { size } = await stat(room.blobs.path(digest));
  return {
    descriptor: { mediaType: mediaTypes.manifest, digest, size, platform: undefined, annotations: {} },
    source: storedSource(room),
  };
}

function findRow(rows: readonly ImageRow[], reference: string, use: string): ImageRow {
  try {
    return findImage(rows, reference);
  } catch (error) {
    if (!(error instanceof UniError) || error.code !== "image_not_found") throw error;
    throw new UniError(
      "image_not_found",
      `take "${reference.slice(0, 300)}" as ${use}: there is no such image`,
      {
        hint: "Load or build it first. A runtime that only names a kernel, such as base-compat:latest, is always there: Uni boots its own.",
      },
    );
  }
}
