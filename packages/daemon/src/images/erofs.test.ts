import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeTar, type TarMember } from "../../../../test/kit/tar-writer.ts";
import { bufferSource } from "./byte-source.ts";
import { erofsBlock } from "./erofs-format.ts";
import { planImage } from "./erofs-plan.ts";
import { writeErofs } from "./erofs-writer.ts";
import { Merge } from "./merge.ts";
import { readTar } from "./tar-reader.ts";

/** Writes the layers' EROFS image to a file and hands its path and an empty directory to the body. */
async function withImage(
  layers: readonly (readonly TarMember[])[],
  body: (image: string, extracted: string) => void,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-erofs-"));
  try {
    const image = join(directory, "root.erofs");
    await writeImage(layers, image);
    body(image, join(directory, "extracted"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function writeImage(layers: readonly (readonly TarMember[])[], path: string): Promise<void> {
  const sources = layers.map((layer) => bufferSource(makeTar(layer)));
  const merge = new Merge({ whiteouts: true });
  for (const source of sources) await merge.add(readTar(source));
  const file = await open(path, "wx");
  try {
    const { signal } = new AbortController();
    const uuid = Buffer.alloc(16, 1);
    await writeErofs(file, merge.root, planImage(merge.root), {
      uuid,
      layers: sources,
      signal,
      onProgress() {},
    });
  } finally {
    await file.close();
  }
}

/** fsck reads every inode and every byte; a wrong image makes it fail. */
const extract = (image: string, directory: string): void =>
  void execFileSync("fsck.erofs", [`--extract=${directory}`, image], { stdio: "pipe" });

const dump = (image: string, path: string): string =>
  execFileSync("dump.erofs", [`--path=${path}`, image], { encoding: "utf8" });

const bytes = (length: number, seed: number): Buffer => {
  const buffer = Buffer.alloc(length);
  for (let at = 0; at < length; at++) buffer[at] = (at * 31 + seed * 17 + (at >>> 8)) & 0xff;
  return buffer;
};

test("files of every size around a block come back byte for byte", async () => {
  const sizes = [
    0, 1, 63, 64, 2000, 3900, 4000, 4031, 4032, 4033, 4095, 4096, 4097, 8191, 8192, 9000, 1_500_000,
  ];
  const members = sizes.map((size) => ({ name: `f${size}`, content: bytes(size, size) }));
  await withImage([members], (image, extracted) => {
    extract(image, extracted);
    for (const size of sizes) assert.deepEqual(readFileSync(join(extracted, `f${size}`)), bytes(size, size));
    assert.equal(lstatSync(image).size % erofsBlock, 0);
  });
});

test("contents come from the layer that has the file, whatever its order in the tree", async () => {
  const layers = [1, 2, 3].map((layer) =>
    Array.from({ length: 20 }, (_, index) => ({
      name: `z${index}-${layer}`,
      content: bytes(700 * index, layer),
    })),
  );
  await withImage([...layers, [{ name: "z5-1", content: "replaced" }]], (image, extracted) => {
    extract(image, extracted);
    assert.equal(readFileSync(join(extracted, "z5-1"), "utf8"), "replaced");
    for (const layer of [1, 2, 3]) {
      assert.deepEqual(readFileSync(join(extracted, `z9-${layer}`)), bytes(6300, layer));
    }
  });
});

test("a directory of thousands of names is searched by halving: all are found", async () => {
  const names = Array.from({ length: 1200 }, (_, index) => `name-${index}-${"x".repeat(index % 80)}`);
  const odd = ["!before-dot", "+", "-", ".hidden", "..two", "~"];
  await withImage(
    [[...names, ...odd].map((name) => ({ name: `d/${name}`, content: name }))],
    (image, extracted) => {
      extract(image, extracted);
      assert.deepEqual(readdirSync(join(extracted, "d")).sort(), [...names, ...odd].sort());
      for (const name of [...odd, names[0], names[777], names[1199]]) {
        assert.match(dump(image, `/d/${name}`), /regular file/);
      }
    },
  );
});

test("names that are not UTF-8 keep their bytes", async () => {
  const name = Buffer.from([0x61, 0xff, 0x62]);
  await withImage([[{ name, content: "x" }]], (image, extracted) => {
    extract(image, extracted);
    assert.deepEqual(readdirSync(Buffer.from(extracted), "buffer"), [name]);
  });
});

test("modes, owners, times, links and attributes are written", async () => {
  const longTarget = `${"t/".repeat(2000)}end`;
  const member = { name: "f", content: "x", mode: 0o4751, uid: 4_000_000_000, gid: 70_000 };
  const members: TarMember[] = [
    { ...member, pax: { mtime: "1700000000.5", "SCHILY.xattr.user.key": Buffer.from([0, 1, 2]) } },
    { name: "hard", type: "1", link: "f" },
    { name: "soft", type: "2", pax: { linkpath: longTarget } },
    { name: "d/", mode: 0o1777 },
    { name: "d/sub/" },
  ];
  await withImage([members], (image, extracted) => {
    const file = dump(image, "/hard");
    assert.match(file, /Uid: 4000000000 {3}Gid: 70000 {2}Access: 0751/);
    assert.match(file, /Links: 2/);
    assert.match(file, /Timestamp: 2023-11-1[45].*\.500000000/);
    // Header 12, entry 4, name 3, value 3, padded.
    assert.match(file, /Xattr size: 24/);
    assert.match(dump(image, "/d"), /Links: 3/);
    extract(image, extracted);
    assert.ok(readlinkSync(join(extracted, "soft")) === longTarget);
    assert.equal(lstatSync(join(extracted, "d")).mode & 0o7777, 0o1777);
  });
});

test("devices and fifos are inodes of their kind", async () => {
  const members = [
    { name: "c", type: "3", device: [5, 300] as const },
    { name: "b", type: "4", device: [8, 1] as const },
    { name: "p", type: "6" },
  ];
  await withImage([members], (image) => {
    assert.match(dump(image, "/c"), /char dev/);
    assert.match(dump(image, "/b"), /block dev/);
    assert.match(dump(image, "/p"), /FIFO/i);
  });
});

test("a sparse file takes the room of its data only", async () => {
  const size = 64 * 2 ** 20;
  const pax = { "GNU.sparse.size": String(size), "GNU.sparse.map": `${size - 5},5` };
  await withImage([[{ name: "sparse", content: "12345", pax }]], (image) => {
    assert.ok(lstatSync(image).size < 2 ** 20, `${lstatSync(image).size} bytes`);
    assert.match(dump(image, "/sparse"), new RegExp(`Size: ${size} .*`));
    execFileSync("fsck.erofs", [image]);
    // Chunk 16383 is the first block of data; the map of 16384 addresses ends where the data area begins.
    const blocks = readFileSync(image);
    const at = blocks.lastIndexOf("12345");
    assert.equal(at % erofsBlock, (size - 5) % erofsBlock);
    const map = blocks.subarray(0, at).lastIndexOf(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    assert.equal(blocks.readUInt32LE(map + 4), Math.floor(at / erofsBlock));
  });
});

test("the same layers give the same bytes", async () => {
  const layers = [[{ name: "a", content: bytes(5000, 1) }, { name: "d/b" }], [{ name: "c", content: "x" }]];
  await withImage(layers, (first) => {
    const before = readFileSync(first);
    return withImage(layers, (second) => assert.deepEqual(readFileSync(second), before));
  });
});

test("an image of nothing is an empty root", async () => {
  await withImage([], (image, extracted) => {
    extract(image, extracted);
    assert.deepEqual(readdirSync(extracted), []);
  });
});
