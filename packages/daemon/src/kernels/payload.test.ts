import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { runOk } from "../host/process.ts";
import { decompressFile, locatePayload, unpackPayload } from "./payload.ts";

const kernel = Buffer.concat([Buffer.from("7f454c46", "hex"), Buffer.alloc(100_000, "kernel ")]);

/** A boot sector and one setup sector, then the payload a little later, then bytes that are not part of it. */
function bzImage(payload: Buffer): Buffer {
  const setup = Buffer.alloc(2 * 512);
  setup[0x1f1] = 1;
  setup.write("HdrS", 0x202, "latin1");
  setup.writeUInt16LE(0x20f, 0x206);
  setup.writeUInt32LE(64, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, Buffer.alloc(64), payload, Buffer.alloc(32, 0xff)]);
}

function withSize(payload: Buffer, size = kernel.length): Buffer {
  const trailer = Buffer.alloc(4);
  trailer.writeUInt32LE(size);
  return Buffer.concat([payload, trailer]);
}

const compress = async (tool: string, args: readonly string[]) =>
  (await runOk(tool, args, { stdin: kernel })).stdout;

const payloads: Readonly<Record<string, () => Promise<Buffer> | Buffer>> = {
  gzip: () => gzipSync(kernel),
  zstd: () => withSize(zstdCompressSync(kernel)),
  lz4: async () => withSize(await compress("lz4", ["-l", "-c", "-q", "-"])),
  xz: async () => withSize(await compress("xz", ["-c", "--check=crc32"])),
  none: () => kernel,
};

for (const [compression, payload] of Object.entries(payloads)) {
  test(`takes a kernel out of a bzImage: ${compression}`, async () => {
    const located = locatePayload(bzImage(await payload()));
    assert.equal(located.compression, compression);
    assert.ok((await unpackPayload(located)).equals(kernel));
  });
}

test("a module is unpacked by its magic number, and taken as it is without one", async () => {
  assert.ok((await decompressFile(gzipSync(kernel))).equals(kernel));
  assert.ok((await decompressFile(kernel)).equals(kernel));
});

test("a payload that is not as long as it claims is refused", async () => {
  const located = locatePayload(bzImage(withSize(zstdCompressSync(kernel), kernel.length + 1)));
  await assert.rejects(unpackPayload(located), /claims 100005/);
});

const broken: Readonly<Record<string, (image: Buffer) => Buffer>> = {
  "no header": () => Buffer.alloc(4096),
  "cut before the header's end": (image) => image.subarray(0, 0x220),
  "an old protocol": (image) => patch(image, (copy) => copy.writeUInt16LE(0x207, 0x206)),
  "a payload outside the file": (image) => patch(image, (copy) => copy.writeUInt32LE(0xffff_fff0, 0x248)),
  "a payload longer than the file": (image) => patch(image, (copy) => copy.writeUInt32LE(0xffff_ffff, 0x24c)),
  "no payload": (image) => patch(image, (copy) => copy.writeUInt32LE(0, 0x24c)),
  "an unknown compression": (image) => patch(image, (copy) => copy.fill(0xaa, 2 * 512 + 64)),
};

for (const [what, damage] of Object.entries(broken)) {
  test(`refuses a bzImage with ${what}`, () => {
    assert.throws(() => locatePayload(damage(bzImage(gzipSync(kernel)))), { code: "failed" });
  });
}

test("refuses a payload that claims a gigantic kernel, before unpacking it", () => {
  assert.throws(
    () => locatePayload(bzImage(withSize(zstdCompressSync(kernel), 0xffff_ffff))),
    /claims a kernel/,
  );
});

function patch(image: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(image);
  change(copy);
  return copy;
}
