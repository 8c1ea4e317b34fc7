/** Which compression a file has, by its first bytes, and how to undo it. */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { UniError } from "@uni/contract/errors";
import type { ByteSource } from "./byte-source.ts";
import { scanZstdFrames } from "./zstd-frames.ts";

export type Compression = "none" | "gzip" | "zstd";

const foreign: readonly (readonly [name: string, magic: Buffer])[] = [
  ["bzip2", Buffer.from("BZh")],
  ["xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a])],
  ["LZ4", Buffer.from([0x04, 0x22, 0x4d, 0x18])],
];

export async function detectCompression(source: ByteSource, what: string): Promise<Compression> {
  const head = await source.read(0, 8);
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head.length >= 4 && isZstdMagic(head.readUInt32LE(0))) return "zstd";
  const name = foreign.find(([, magic]) => head.subarray(0, magic.length).equals(magic))?.[0];
  if (name === undefined) return "none";
  throw new UniError("image_invalid", `read ${what}: ${name} compression is not supported`, {
    hint: "Compress it with gzip or zstd, or not at all.",
  });
}

/** A zstd frame, or a skippable one in front. */
const isZstdMagic = (magic: number): boolean => magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5;

export async function* decompressFile(
  path: string,
  source: ByteSource,
  compression: Compression,
  what: string,
): AsyncGenerator<Buffer> {
  try {
    if (compression === "none") yield* createReadStream(path, { highWaterMark: 1 << 18 });
    else if (compression === "gzip")
      yield* piped(createReadStream(path), createGunzip({ chunkSize: 1 << 18 }));
    else {
      // Node's decompressor ends with the first frame, and layers made for partial pulls have one frame per file.
      for await (const { start, end } of scanZstdFrames(source)) {
        const frame = createReadStream(path, { start, end: end - 1 });
        yield* piped(frame, createZstdDecompress({ chunkSize: 1 << 18 }));
      }
    }
  } catch (error) {
    if (error instanceof UniError || !isDataError(error)) throw error;
    throw new UniError("image_invalid", `decompress ${what}: ${(error as Error).message}`, {
      hint: "The archive is damaged or cut off; make or copy it again.",
      cause: error,
    });
  }
}

async function* piped(from: Readable, through: NodeJS.ReadWriteStream & Readable): AsyncGenerator<Buffer> {
  from.once("error", (error) => through.destroy(error));
  from.pipe(through);
  try {
    yield* through;
  } finally {
    from.destroy();
    through.destroy();
  }
}

function isDataError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return code.startsWith("Z_") || code.startsWith("ZSTD_");
}
