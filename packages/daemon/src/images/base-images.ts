/** The images that a Dockerfile starts from, brought to its builder: from the store, from what the builder has, from registries. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import type { BaseImage, Builder } from "./builder.ts";
import type { Hold } from "./compose/made-part.ts";
import { writeDirectoryImage } from "./directory-source.ts";
import type { ImageOptions } from "./port.ts";
import { type ImageReference, parseReference } from "./reference.ts";
import { findImage } from "./resolve-image.ts";
import type { Room } from "./room.ts";

/** Where images that a build needs come from. */
export interface Supply {
  /** Undefined if it is not here. */
  stored(reference: string): Promise<Digest | undefined>;
  /** From a registry if it is not here. */
  fetch(reference: string, options: ImageOptions): Promise<Digest>;
}

export interface BaseRequest {
  /** As the Dockerfile has them. */
  readonly names: readonly string[];
  readonly builder: Builder;
  readonly supply: Supply;
  readonly hold: Hold;
  /** Private to the build. */
  readonly directory: string;
}

/** One that the Dockerfile names by a digest gets a name here that builders can look up: `written` is to be `reference`. */
export interface LaidOutBase extends BaseImage {
  readonly written: string;
}

/** Their blobs are links to the store's. */
export async function layOutBases(
  room: Room,
  { names, builder, supply, hold, directory }: BaseRequest,
  options: ImageOptions,
): Promise<LaidOutBase[]> {
  const bases: LaidOutBase[] = [];
  for (const written of names) {
    const parsed = tryParse(written);
    if (parsed === undefined) continue;
    const reference = nameFor(parsed);
    const stored = await supply.stored(written);
    if (stored === undefined && parsed.digest === undefined && (await builder.has(reference))) continue;
    const digest = stored ?? (await fetchBase(written, supply, options));
    const { blobs } = findImage(await room.catalogue.list(), digest);
    hold(blobs);
    const place = join(directory, `base-${bases.length}`);
    await mkdir(place, { mode: 0o700 });
    await writeDirectoryImage(place, digest, blobs, (each) => room.blobs.path(each));
    bases.push({ reference, directory: place, written });
  }
  return bases;
}

/** What is no name is left to the builder, which says so. */
function tryParse(name: string): ImageReference | undefined {
  try {
    return parseReference(name);
  } catch {
    return undefined;
  }
}

const nameFor = ({ name, tag, digest }: ImageReference): string =>
  digest === undefined ? `${name}:${tag ?? "latest"}` : `pinned/${digest.slice("sha256:".length)}:latest`;

async function fetchBase(name: string, supply: Supply, options: ImageOptions): Promise<Digest> {
  options.onProgress({ step: "base", message: `pulling the base image ${name}` });
  return supply.fetch(name, options).catch((error: unknown) => {
    if (!(error instanceof UniError)) throw error;
    throw new UniError(error.code, `take the base image ${name}: ${error.message}`, {
      hint: error.hint ?? "Load, build or pull it first.",
      cause: error,
    });
  });
}
