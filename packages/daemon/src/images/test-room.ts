/** A store in a temporary directory, for this room's tests. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { createBlobHolders } from "../store/blob-holders.ts";
import { createImageCatalogue } from "../store/images.ts";
import { openDatabase } from "../store/open.ts";
import { createPulledReferences } from "../store/pulled-references.ts";
import { createRepositoryCatalogue } from "../store/repositories.ts";
import type { Catalogue } from "./catalogue.ts";
import { createImages, type ImagesOptions, type OpenImages } from "./images.ts";
import type { ImageOptions, Progress } from "./port.ts";
import { createRemote } from "./remote/client.ts";

export interface TestStore {
  readonly directory: string;
  readonly images: OpenImages;
  readonly catalogue: Catalogue;
  readonly options: ImagesOptions;
}

/** As long as a data directory's path may be: sockets below it must have room. */
const longestPath = 50;

export async function withStore(
  body: (store: TestStore) => Promise<void>,
  overrides: Partial<ImagesOptions> = {},
): Promise<void> {
  const prefix = join(tmpdir(), "uni-images-").padEnd(longestPath - "XXXXXX".length, "-");
  const directory = mkdtempSync(prefix);
  const remote = createRemote({ clock: overrides.clock ?? systemClock, log: silentLog });
  const db = await openDatabase(":memory:");
  try {
    const catalogue = overrides.catalogue ?? createImageCatalogue(db);
    const options: ImagesOptions = {
      clock: systemClock,
      log: silentLog,
      directory: join(directory, "images"),
      catalogue,
      repositories: createRepositoryCatalogue(db),
      holders: createBlobHolders(db),
      remote,
      pulled: createPulledReferences(db),
      architecture: "amd64",
      builders: [],
      ...overrides,
    };
    const images = await createImages(options);
    try {
      await body({ directory: options.directory, images, catalogue, options });
    } finally {
      await images.close();
    }
  } finally {
    remote.close();
    await db.destroy();
    rmSync(directory, { recursive: true });
  }
}

export function quietly(progress: Progress[] = []): ImageOptions {
  return { signal: new AbortController().signal, onProgress: (each) => void progress.push(each) };
}

export const stream = (bytes: Uint8Array): Readable => Readable.from([bytes]);

/** Names of everything in the store: blobs, roots, work in progress. */
export function storedFiles(directory: string): { blobs: string[]; roots: string[]; scratch: string[] } {
  return {
    blobs: readdirSync(join(directory, "blobs", "sha256")).sort(),
    roots: readdirSync(join(directory, "roots")).sort(),
    scratch: readdirSync(join(directory, "tmp")).sort(),
  };
}
