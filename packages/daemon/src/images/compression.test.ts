import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { bufferSource } from "./byte-source.ts";
import { decompressFile, detectCompression } from "./compression.ts";

async function decompress(bytes: Buffer): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), "uni-compression-"));
  try {
    const path = join(directory, "file");
    writeFileSync(path, bytes);
    const source = bufferSource(bytes);
    return await buffer(decompressFile(path, source, await detectCompression(source, "a file"), "a file"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const content = Buffer.from("all work and no play ".repeat(40_000));
const random = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at * 7 + (at >>> 3)) & 0xff));
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

test("plain, gzip and zstd are told apart by their first bytes", async () => {
  for (const bytes of [content, gzipSync(content), zstdCompressSync(content)]) {
    assert.deepEqual(await decompress(bytes), content);
  }
  assert.deepEqual(await decompress(Buffer.alloc(0)), Buffer.alloc(0));
});

test("gzip members and zstd frames that follow each other are one stream", async () => {
  assert.deepEqual(await decompress(Buffer.concat([gzipSync("a"), gzipSync("b")])), Buffer.from("ab"));
  const frames = [skippable, zstdCompressSync(content), skippable, zstdCompressSync(random), skippable];
  assert.deepEqual(await decompress(Buffer.concat(frames)), Buffer.concat([content, random]));
});

test("cut off and damaged files are invalid", async () => {
  const zstd = zstdCompressSync(random);
  const gzip = gzipSync(random);
  const damaged = Buffer.from(gzip);
  damaged.fill(0x55, 1000, 1100);
  for (const bytes of [
    zstd.subarray(0, 1000),
    zstd.subarray(0, 7),
    gzip.subarray(0, 1000),
    damaged,
    Buffer.concat([zstd, Buffer.from("what is this")]),
  ]) {
    await assert.rejects(decompress(bytes), { code: "image_invalid" });
  }
});

test("compressions that are not supported are named", async () => {
  const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]);
  await assert.rejects(decompress(xz), { code: "image_invalid", message: /xz compression is not supported/ });
});
