/** Builds an image: a part of what was uploaded, perhaps on another image, with changes to its config; then imports it. */
import type { Readable } from "node:stream";
import type { Digest } from "@uni/contract/ids";
import type { Supply } from "./base-images.ts";
import { contextPart } from "./build-context.ts";
import type { Builder } from "./builder.ts";
import { composeImage } from "./compose/compose-image.ts";
import type { Hold } from "./compose/made-part.ts";
import type { Part } from "./compose/part.ts";
import { storedPart } from "./compose/stored-part.ts";
import { elfPart, programPart, rootPart } from "./compose/uploaded-parts.ts";
import { importImage } from "./import-image.ts";
import type { BuildRequest, ConfigChanges, ImageOptions } from "./port.ts";
import type { Room } from "./room.ts";

export interface BuildInput {
  readonly upload: Readable;
  /** With its reference in canonical form. */
  readonly request: BuildRequest;
  readonly supply: Supply;
}

interface Built {
  readonly part: Part;
  /** What holds where nothing else is asked for. */
  readonly defaults: ConfigChanges;
}

export async function buildImage(
  room: Room,
  builders: readonly Builder[],
  input: BuildInput,
  options: ImageOptions,
): Promise<Digest> {
  const { reference, base, changes } = input.request;
  const { supply } = input;
  const releases: (() => void)[] = [];
  const hold: Hold = (digests) => void releases.push(room.leases.hold(digests));
  await using work = await room.scratch.directory();
  try {
    const below =
      base === undefined
        ? []
        : [await storedPart(room, { reference: base, use: "what the build lies on", hold, supply }, options)];
    const { part, defaults } = await makePart(room, builders, input, { directory: work.path, hold }, options);
    const parts = [...below, part];
    const composed = await composeImage(room, parts, { ...defaults, ...changes }, options.signal);
    return await importImage(room, { ...composed, references: [reference] }, options);
  } finally {
    for (const release of releases) release();
  }
}

async function makePart(
  room: Room,
  builders: readonly Builder[],
  { upload, request, supply }: BuildInput,
  work: { readonly directory: string; readonly hold: Hold },
  options: ImageOptions,
): Promise<Built> {
  const { source, reference } = request;
  const { hold } = work;
  switch (source.kind) {
    case "context":
      return {
        part: await contextPart(
          room,
          builders,
          { context: upload, source, reference, supply, ...work },
          options,
        ),
        defaults: {},
      };
    case "elf": {
      const part = await elfPart(room, { bytes: upload, reference }, hold, options);
      return { part, defaults: { entrypoint: [part.path] } };
    }
    case "program":
      return { part: await programPart(room, { bytes: upload, reference }, hold, options), defaults: {} };
    case "root":
      return { part: await rootPart(room, { bytes: upload, reference }, hold, options), defaults: {} };
    case "image":
      return {
        part: await storedPart(
          room,
          { reference: source.image, use: "the root file system", hold, supply },
          options,
        ),
        defaults: {},
      };
    default:
      return source satisfies never;
  }
}
