/** Roots that come as cpio and EROFS, made by the tools that people use, become the same image as their tar. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { UniError } from "@uni/contract/errors";
import fc from "fast-check";
import { mkfsErofs } from "../../../../../test/kit/mkfs-erofs.ts";
import { bufferSource } from "../byte-source.ts";
import { digestOf } from "../digest.ts";
import { defaultLimits } from "../limits.ts";
import type { Image, Images } from "../port.ts";
import { quietly, storedFiles, stream, withStore } from "../test-room.ts";
import { readCpio } from "./cpio-reader.ts";

const { signal } = new AbortController();

function inTree<T>(body: (tree: string, directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "uni-archive-"));
  try {
    const tree = join(directory, "tree");
    mkdirSync(join(tree, "bin"), { recursive: true });
    mkdirSync(join(tree, "etc/deep"), { recursive: true });
    writeFileSync(join(tree, "bin/app"), Buffer.alloc(100_003, "app"));
    chmodSync(join(tree, "bin/app"), 0o4755);
    linkSync(join(tree, "bin/app"), join(tree, "bin/same"));
    writeFileSync(join(tree, "etc/deep/empty"), "");
    writeFileSync(join(tree, `etc/${"long".repeat(50)}`), "x");
    symlinkSync("../bin/app", join(tree, "etc/link"));
    execFileSync("mknod", [join(tree, "etc/null"), "c", "1", "3"]);
    execFileSync("mkfifo", [join(tree, "etc/pipe")]);
    return body(tree, directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const cpioOf = (tree: string, format: string): Buffer =>
  execFileSync("sh", ["-c", `find . | sort | cpio --quiet -o -H ${format}`], {
    cwd: tree,
    maxBuffer: 1 << 26,
    stdio: ["pipe", "pipe", "pipe"],
  });

const build = (images: Images, bytes: Buffer): Promise<Image> =>
  images.build(stream(bytes), { reference: "x", source: { kind: "root" }, changes: {} }, quietly());

/** All that there is but times, and what is in the files. */
async function contentOf(images: Images, image: Image): Promise<unknown[]> {
  await using files = await images.open(image.digest);
  const content: unknown[] = [];
  for await (const entry of files.list("/", { recursive: true, signal })) {
    const { modified_at: _, ...kept } = entry;
    const bytes = entry.kind === "file" ? await buffer(files.read(entry.path, signal)) : undefined;
    content.push({ ...kept, sum: bytes === undefined ? undefined : digestOf(bytes) });
  }
  return content;
}

test("cpio and EROFS hold what the tar of the same tree holds", async () => {
  const archives = inTree((tree) => ({
    tar: execFileSync("tar", ["-c", "."], { cwd: tree, maxBuffer: 1 << 26 }),
    newc: cpioOf(tree, "newc"),
    crc: cpioOf(tree, "crc"),
    gzip: gzipSync(cpioOf(tree, "newc")),
    erofs: mkfsErofs(tree),
    zstd: zstdCompressSync(mkfsErofs(tree, ["--all-root"])),
    chunks: mkfsErofs(tree, ["--chunksize=4096"]),
  }));
  await withStore(async ({ images, directory }) => {
    const expected = await contentOf(images, await build(images, archives.tar));
    const app = expected.find((each) => (each as { path: string }).path === "bin/app");
    assert.deepEqual(app, {
      path: "bin/app",
      kind: "file",
      mode: 0o4755,
      uid: 0,
      gid: 0,
      links: 2,
      size_bytes: 100_003,
      sum: digestOf(Buffer.alloc(100_003, "app")),
    });
    assert.equal(expected.length, 10);
    for (const [name, bytes] of Object.entries(archives)) {
      assert.deepEqual(await contentOf(images, await build(images, bytes)), expected, name);
    }
    assert.deepEqual(storedFiles(directory).scratch, []);
  });
});

test("file capabilities of an EROFS image survive", async () => {
  const erofs = inTree((tree) => {
    execFileSync("setcap", ["cap_net_raw=ep", join(tree, "bin/app")]);
    return mkfsErofs(tree);
  });
  await withStore(async ({ images }) => {
    const image = await build(images, erofs);
    const shown = execFileSync("dump.erofs", ["--path=/bin/app", image.rootPath]).toString();
    assert.match(shown, /Xattr size: [1-9]/);
  });
});

const old = inTree((tree) => cpioOf(tree, "odc"));
const whole = inTree((tree) => cpioOf(tree, "newc"));
const packed = inTree((tree) => mkfsErofs(tree, ["-zlz4"]));

function renamed(name: string): Buffer {
  const bytes = Buffer.from(whole);
  bytes.write(name, bytes.indexOf("bin/app\0"), "latin1");
  return bytes;
}

const refused: readonly (readonly [what: string, bytes: Buffer, code: string, message: RegExp])[] = [
  ["an old format of cpio", old, "image_invalid", /old format/],
  ["a cpio archive that is cut off", whole.subarray(0, 5000), "image_invalid", /ends inside a file/],
  [
    "a cpio archive without its end",
    whole.subarray(0, -512 - (whole.length % 512)).subarray(0, whole.indexOf("TRAILER!!!") - 110),
    "image_invalid",
    /ends without its last entry/,
  ],
  [
    "a header that is no header",
    Buffer.concat([Buffer.from("070701"), Buffer.alloc(200, "z")]),
    "image_invalid",
    /broken header/,
  ],
  ["a name that climbs out", renamed("../evil"), "image_unsafe", /contains \.\./],
  ["a compressed EROFS image", packed, "image_invalid", /compressed/],
];

for (const [what, bytes, code, message] of refused) {
  test(`refused: ${what}`, async () => {
    await withStore(async ({ images, directory }) => {
      await assert.rejects(build(images, bytes), { code, message });
      const { roots, scratch } = storedFiles(directory);
      assert.deepEqual({ roots, scratch }, { roots: [], scratch: [] });
    });
  });
}

test("an EROFS image whose files are holes beyond all measure is refused", async () => {
  const bomb = inTree((tree) => {
    truncateSync(join(tree, "bin/app"), 40_000_000);
    return mkfsErofs(tree, ["--chunksize=4096"]);
  });
  const limits = { ratio: 2, ratioFreeBytes: 1 << 20 };
  await withStore(
    async ({ images, directory }) => {
      await assert.rejects(build(images, bomb), { code: "image_unsafe" });
      assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
    },
    { limits },
  );
});

test("whatever the bytes of a cpio archive, it is read or refused", async () => {
  const seed = inTree((tree) => {
    rmSync(join(tree, "bin"), { recursive: true });
    return cpioOf(tree, "newc");
  });
  const change = fc.record({
    at: fc.nat(seed.length - 1),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 9 }),
      fc.constantFrom("FFFFFFFF", "00000000", "070701", "\0", "/", "../").map((text) => Buffer.from(text)),
    ),
  });
  const limits = { ...defaultLimits, entries: 100 };
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 6 }), fc.nat(seed.length), async (changes, end) => {
      const bytes = Buffer.from(seed);
      for (const { at, bytes: more } of changes) bytes.set(more.subarray(0, bytes.length - at), at);
      try {
        await readCpio(bufferSource(bytes.subarray(0, end % 3 === 0 ? end : bytes.length)), limits);
      } catch (error) {
        if (!(error instanceof UniError) || !/^image_/.test(error.code)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
