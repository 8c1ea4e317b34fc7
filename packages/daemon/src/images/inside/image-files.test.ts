import assert from "node:assert/strict";
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { ImageFile } from "@uni/contract/rpc";
import fc from "fast-check";
import { mkfsErofs } from "../../../../../test/kit/mkfs-erofs.ts";
import { makeTar, type TarMember } from "../../../../../test/kit/tar-writer.ts";
import { bufferSource } from "../byte-source.ts";
import { planImage } from "../erofs-plan.ts";
import { writeErofs } from "../erofs-writer.ts";
import { readFileRange } from "../file-content.ts";
import { defaultLimits, type ImageLimits } from "../limits.ts";
import { Merge } from "../merge.ts";
import { readTar } from "../tar-reader.ts";
import { walk } from "../tree.ts";
import { erofsEntries } from "./erofs-entries.ts";
import { openImageFiles } from "./image-files.ts";

const { signal } = new AbortController();
const block = 4096;

/** The bytes that our own writer makes of these. */
async function erofsOf(members: readonly TarMember[]): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), "uni-inside-"));
  try {
    const source = bufferSource(makeTar(members));
    const merge = new Merge({ whiteouts: true });
    await merge.add(readTar(source));
    const path = join(directory, "image");
    const file = await open(path, "wx+");
    try {
      const how = { uuid: Buffer.alloc(16, 1), layers: [source], signal, onProgress() {} };
      await writeErofs(file, merge.root, planImage(merge.root), how);
    } finally {
      await file.close();
    }
    return readFileSync(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What mkfs.erofs makes of a directory. */
function erofsByTool(fill: (directory: string) => void, options: readonly string[] = []): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "uni-inside-"));
  try {
    const tree = join(directory, "tree");
    mkdirSync(tree);
    fill(tree);
    return mkfsErofs(tree, options);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const filesOf = (image: Buffer, limits: ImageLimits = defaultLimits) =>
  openImageFiles(bufferSource(image), limits);

async function listed(image: Buffer, path: string, recursive = false): Promise<ImageFile[]> {
  return collect((await filesOf(image)).list(path, { recursive, signal }));
}

const namesOf = async (image: Buffer, path: string, recursive = false): Promise<string[]> =>
  (await listed(image, path, recursive)).map((entry) => entry.path);

const readText = async (image: Buffer, path: string): Promise<string> =>
  (await buffer((await filesOf(image)).read(path, signal))).toString();

const packed = async (image: Buffer, path: string, follow = false) => {
  const tar = await buffer((await filesOf(image)).archive(path, { follow, signal }));
  const source = bufferSource(tar);
  const entries = await collect(readTar(source));
  const text = async (name: string) => {
    const entry = entries.find((each) => each.name === name);
    return entry === undefined ? undefined : (await readFileRange(source, entry, 0, entry.size)).toString();
  };
  return { entries, text };
};

const refusedAs = (code: string, pattern: RegExp) => (error: unknown) =>
  error instanceof UniError && error.code === code && pattern.test(error.message);

const big = Buffer.from(Array.from({ length: 3 * block + 17 }, (_, at) => (at * 7 + (at >>> 8)) & 0xff));
const sample: TarMember[] = [
  { name: "etc/" },
  { name: "etc/hello", content: "hello\n", mode: 0o640, uid: 70_000, gid: 5, mtime: 1_600_000_000 },
  { name: "etc/empty" },
  { name: "etc/big", content: big },
  { name: "etc/linked", type: "1", link: "etc/hello" },
  { name: "conf", type: "2", link: "/etc" },
  { name: "out", type: "2", link: "../../../etc/hello" },
  { name: "loop", type: "2", link: "loop" },
  { name: "dev/null", type: "3", device: [1, 3] },
  { name: "dev/disk", type: "4", device: [259, 70_000] },
  { name: "dev/pipe", type: "6" },
  { name: "xattr", content: "x", pax: { "SCHILY.xattr.user.a": "b" } },
  {
    name: "sparse",
    content: "data",
    pax: { "GNU.sparse.size": "100000", "GNU.sparse.map": "50000,2,80000,2" },
  },
];

test("names, kinds, owners, times, targets and devices are those of the image", async () => {
  const image = await erofsOf(sample);
  assert.deepEqual(await namesOf(image, "/"), ["conf", "dev", "etc", "loop", "out", "sparse", "xattr"]);
  assert.deepEqual(await namesOf(image, "/", true), [
    ...["conf", "dev", "dev/disk", "dev/null", "dev/pipe", "etc", "etc/big", "etc/empty"],
    ...["etc/hello", "etc/linked", "loop", "out", "sparse", "xattr"],
  ]);
  const [hello] = await listed(image, "etc/hello");
  assert.deepEqual(hello, {
    path: "hello",
    kind: "file",
    mode: 0o640,
    uid: 70_000,
    gid: 5,
    links: 2,
    size_bytes: 6,
    modified_at: "2020-09-13T12:26:40.000Z",
  });
  const [disk] = await listed(image, "/dev/disk");
  assert.deepEqual([disk?.kind, disk?.major, disk?.minor], ["block", 259, 70_000]);
  const conf = (await listed(image, "/")).find(({ path }) => path === "conf");
  assert.deepEqual([conf?.kind, conf?.target], ["symlink", "/etc"]);
});

test("files are read whole: inline, in blocks, sparse, by another name, empty", async () => {
  const image = await erofsOf(sample);
  assert.equal(await readText(image, "/etc/hello"), "hello\n");
  assert.equal(await readText(image, "etc/linked"), "hello\n");
  assert.equal(await readText(image, "/etc/empty"), "");
  assert.deepEqual(await buffer((await filesOf(image)).read("/etc/big", signal)), big);
  const sparse = await buffer((await filesOf(image)).read("/sparse", signal));
  assert.equal(sparse.length, 100_000);
  assert.deepEqual(
    [sparse.toString("latin1", 50_000, 50_002), sparse.toString("latin1", 80_000, 80_002)],
    ["da", "ta"],
  );
  assert.equal(sparse.filter((byte) => byte !== 0).length, 4);
});

test("symbolic links are followed inside the image and never lead out of it", async () => {
  const image = await erofsOf(sample);
  assert.equal(await readText(image, "/conf/hello"), "hello\n");
  assert.equal(await readText(image, "/out"), "hello\n");
  assert.equal(await readText(image, "/../../etc/../conf/./hello"), "hello\n");
  assert.deepEqual(await namesOf(image, "/conf"), ["big", "empty", "hello", "linked"]);
  await assert.rejects(readText(image, "/loop"), refusedAs("not_found", /too many symbolic links/));
  await assert.rejects(readText(image, "/nothing"), refusedAs("not_found", /no such file/));
  await assert.rejects(readText(image, "/etc/hello/x"), refusedAs("not_found", /no directory/));
  await assert.rejects(readText(image, "/etc"), refusedAs("invalid_value", /is a directory/));
});

test("a tree is packed with its links, modes, owners and devices, under its last name", async () => {
  const image = await erofsOf(sample);
  const etc = await packed(image, "/etc");
  assert.deepEqual(
    etc.entries.map(({ name, type }) => [name, type]),
    [
      ...[
        ["etc/", "directory"],
        ["etc/big", "file"],
        ["etc/empty", "file"],
      ],
      ...[
        ["etc/hello", "file"],
        ["etc/linked", "hardlink"],
      ],
    ],
  );
  assert.equal(await etc.text("etc/hello"), "hello\n");
  const linked = etc.entries.find(({ name }) => name === "etc/linked");
  assert.equal(linked?.linkName, "etc/hello");
  const hello = etc.entries.find(({ name }) => name === "etc/hello");
  assert.deepEqual([hello?.mode, hello?.uid, hello?.mtime.seconds], [0o640, 70_000, 1_600_000_000]);
  const dev = await packed(image, "dev");
  assert.deepEqual(dev.entries.find(({ name }) => name === "dev/disk")?.device, {
    major: 259,
    minor: 70_000,
  });
  assert.equal((await packed(image, "/conf")).entries[0]?.type, "symlink");
  assert.equal((await packed(image, "/conf", true)).entries[0]?.type, "directory");
  assert.equal((await packed(image, "/conf/.")).entries[0]?.type, "directory");
  assert.equal((await packed(image, "/")).entries[0]?.name, "./");
});

test("long names, many names and deep trees come back as they were", async () => {
  const long = "n".repeat(255);
  const many = Array.from({ length: 700 }, (_, at): TarMember => ({ name: `many/${"x".repeat(60)}${at}` }));
  const deep = `${Array.from({ length: 60 }, () => "directory").join("/")}/end`;
  const target = "t/".repeat(400);
  const image = await erofsOf([
    ...many,
    { name: "long", gnuName: long, content: "long" },
    { name: "deep", gnuName: deep, content: "deep" },
    { name: "to", type: "2", gnuLink: target },
  ]);
  assert.equal((await listed(image, "/many")).length, 700);
  for (const at of [0, 333, 699])
    assert.equal((await listed(image, `/many/${"x".repeat(60)}${at}`)).length, 1);
  assert.equal(await readText(image, long), "long");
  assert.equal(await readText(image, deep), "deep");
  const whole = await packed(image, "/");
  assert.equal(await whole.text(`./${deep}`), "deep");
  assert.equal(whole.entries.find(({ name }) => name === "./to")?.linkName, target);
});

test("what mkfs.erofs makes is read: inline tails, blocks, chunks, links", async () => {
  const fill = (tree: string) => {
    mkdirSync(join(tree, "sub"));
    writeFileSync(join(tree, "sub", "big"), big, { mode: 0o755 });
    writeFileSync(join(tree, "small"), "small");
    writeFileSync(join(tree, "block"), Buffer.alloc(block, "b"));
    linkSync(join(tree, "small"), join(tree, "again"));
    symlinkSync("sub/big", join(tree, "link"));
    for (let at = 0; at < 300; at++) writeFileSync(join(tree, "sub", `${"y".repeat(40)}${at}`), `${at}`);
  };
  for (const options of [[], ["--chunksize=4096"], ["-Eforce-inode-compact"], ["-Eforce-inode-extended"]]) {
    const image = erofsByTool(fill, options);
    assert.deepEqual(await namesOf(image, "/"), ["again", "block", "link", "small", "sub"], `${options}`);
    assert.deepEqual(await buffer((await filesOf(image)).read("/link", signal)), big);
    assert.equal(await readText(image, "/again"), "small");
    assert.equal(await readText(image, "/block"), "b".repeat(block));
    assert.equal(await readText(image, `/sub/${"y".repeat(40)}299`), "299");
    assert.equal((await listed(image, "/small"))[0]?.links, 2);
  }
});

test("a compressed file system is refused by that name", async () => {
  const image = erofsByTool((tree) => writeFileSync(join(tree, "zeroes"), Buffer.alloc(1 << 20)), ["-zlz4"]);
  await assert.rejects(readText(image, "/zeroes"), refusedAs("image_invalid", /compressed/));
  await assert.rejects(readText(Buffer.alloc(8192), "/"), refusedAs("image_invalid", /no EROFS/));
});

test("as a layer it gives the same image again", async () => {
  const image = await erofsOf(sample);
  const merge = new Merge({ whiteouts: false });
  const source = bufferSource(image);
  await merge.add(erofsEntries(source, defaultLimits, signal));
  const file = merge.root.children.get("etc")?.node;
  assert.ok(file?.kind === "directory");
  const hello = file.children.get("hello")?.node;
  assert.equal(hello, file.children.get("linked")?.node);
  assert.ok(hello?.kind === "file");
  assert.equal((await readFileRange(source, hello, 0, hello.size)).toString(), "hello\n");
  const attributed = merge.root.children.get("xattr")?.node;
  assert.deepEqual([...(attributed?.xattrs ?? [])], [["user.a", Buffer.from("b")]]);
});

test("more names than the limit are refused", async () => {
  const image = await erofsOf(sample);
  const files = await filesOf(image, { ...defaultLimits, entries: 5 });
  const all = collect(files.list("/", { recursive: true, signal }));
  await assert.rejects(all, refusedAs("image_unsafe", /5 entries/));
});

test("whatever the bytes, reading ends, with a result or a documented error", async () => {
  const seeds = [
    await erofsOf(sample),
    erofsByTool((tree) => {
      mkdirSync(join(tree, "d"));
      writeFileSync(join(tree, "d", "f"), big);
    }),
  ];
  const limits = { ...defaultLimits, entries: 200, bytes: 1 << 24, fileBytes: 1 << 22 };
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom(Buffer.alloc(8, 0xff), Buffer.alloc(4), Buffer.from([0, 0x40]), Buffer.from([0, 0x80])),
    ),
  });
  const changes = fc.array(change, { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...seeds), changes, fc.boolean(), async (seed, mutations, nearFront) => {
      const bytes = Buffer.from(seed);
      // Superblock and inodes lie in the first blocks.
      const span = nearFront ? Math.min(bytes.length, 4 * block) : bytes.length;
      for (const { at, bytes: wanted } of mutations) {
        const start = Math.floor(at * span);
        bytes.set(wanted.subarray(0, Math.max(0, bytes.length - start)), start);
      }
      try {
        const merge = new Merge({ whiteouts: false, limits });
        await merge.add(erofsEntries(bufferSource(bytes), limits, signal));
        for (const node of walk(merge.root)) {
          if (node.kind === "file")
            await readFileRange(bufferSource(bytes), node, 0, Math.min(node.size, 9000));
        }
        const files = await openImageFiles(bufferSource(bytes), limits);
        await collect(files.list("/conf", { recursive: true, signal }));
      } catch (error) {
        const documented = ["image_invalid", "image_unsafe", "not_found"];
        if (!(error instanceof UniError) || !documented.includes(error.code)) throw error;
      }
    }),
    { numRuns: 400 },
  );
});
