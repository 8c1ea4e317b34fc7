/** Layers of the blob store opened for reading at any position: plain ones in place, compressed ones through a scratch file. */
import { open } from "node:fs/promises";
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { Teardown } from "../base/teardown.ts";
import type { BlobStore } from "./blob-store.ts";
import { type ByteSource, fileSource } from "./byte-source.ts";
import { decompressFile, detectCompression } from "./compression.ts";
import type { ImageLimits } from "./limits.ts";
import type { Scratch } from "./scratch.ts";
import { spool } from "./spool.ts";

export interface Layer {
  readonly digest: Digest;
  /** Digest of the layer's tar. */
  readonly diffId: Digest;
}

export interface OpenLayers extends AsyncDisposable {
  readonly sources: readonly ByteSource[];
}

export interface OpenLayersOptions {
  readonly blobs: BlobStore;
  readonly scratch: Scratch;
  readonly limits: ImageLimits;
  readonly signal: AbortSignal;
}

/** Every layer is checked against its diffID on the way. */
export async function openLayers(layers: readonly Layer[], options: OpenLayersOptions): Promise<OpenLayers> {
  const teardown = new Teardown();
  const close = async (): Promise<void> => void (await teardown.run());
  try {
    const sources: ByteSource[] = [];
    let left = options.limits.bytes;
    for (const layer of layers) {
      const source = await openLayer(layer, left, { ...options, teardown });
      left -= source.size;
      sources.push(source);
    }
    return { sources, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openLayer(
  { digest, diffId }: Layer,
  left: number,
  options: OpenLayersOptions & { readonly teardown: Teardown },
): Promise<ByteSource> {
  const { blobs, scratch, limits, signal, teardown } = options;
  const what = `layer ${digest}`;
  const path = blobs.path(digest);
  const file = await open(path, "r");
  await teardown.add("close a layer", () => file.close());
  const { size } = await file.stat();
  const packed = fileSource(file, size);
  if (digest === diffId) return packed;
  const compression = await detectCompression(packed, what);
  if (compression === "none") throw wrongDiffId(what, diffId, digest);
  const plain = await scratch.file();
  await teardown.add("remove a decompressed layer", async () => plain[Symbol.asyncDispose]());
  const byRatio = Math.max(limits.ratioFreeBytes, size * limits.ratio);
  const spooled = await spool(decompressFile(path, packed, compression, what), plain.handle, {
    what: `decompress ${what}`,
    maxBytes: Math.min(byRatio, left),
    limitName: byRatio < left ? `bytes, ${limits.ratio} times its compressed size` : "bytes an image",
    signal,
  });
  if (spooled.digest !== diffId) throw wrongDiffId(what, diffId, spooled.digest);
  return fileSource(plain.handle, spooled.size);
}

function wrongDiffId(what: string, expected: Digest, found: Digest): UniError {
  return new UniError(
    "digest_mismatch",
    `${what}: its content has the digest ${found} instead of ${expected}`,
    {
      hint: "The image's config and layers do not belong together; build it again.",
    },
  );
}
