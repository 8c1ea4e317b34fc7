/** Bounds on what an image may ask of this machine; an archive over one of them is refused with the limit's name. */
import { UniError } from "@uni/contract/errors";

export interface ImageLimits {
  /** Files, directories and links of one image, over all its layers. */
  readonly entries: number;
  readonly layers: number;
  /** Bytes of one layer, archive or root once decompressed. */
  readonly bytes: number;
  /** Decompressed bytes per compressed byte, once past `freeBytes`. */
  readonly ratio: number;
  /** Decompressed size up to which the ratio does not matter: small files of zeroes are common. */
  readonly ratioFreeBytes: number;
  /** Apparent size of one file, holes included. */
  readonly fileBytes: number;
  /** A manifest, index or config. */
  readonly documentBytes: number;
}

export const defaultLimits: ImageLimits = {
  entries: 500_000,
  layers: 256,
  bytes: 64 * 2 ** 30,
  ratio: 200,
  ratioFreeBytes: 2 ** 30,
  fileBytes: 2 ** 40,
  documentBytes: 4 * 2 ** 20,
};

export function overLimit(what: string, name: string, limit: number): UniError {
  return new UniError("image_unsafe", `${what}: over the limit of ${limit} ${name}`, {
    hint: "Such an archive is broken or made to exhaust the machine; rebuild the image without it.",
  });
}
