import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { imageArchive } from "../../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../../test/kit/tar-writer.ts";
import type { ArchiveFormat, Images } from "../port.ts";
import { quietly, storedFiles, stream, withStore } from "../test-room.ts";

const { signal } = new AbortController();
const layer = makeTar([{ name: "shared", content: "x".repeat(5000) }]);
const unused = (): string[] => [];

async function loadTwo(images: Images): Promise<void> {
  const archive = imageArchive(
    { layers: [layer], name: "a:1", config: { Cmd: ["a"] }, compress: "gzip" },
    { layers: [layer, makeTar([{ name: "own" }])], name: "b:2", config: { Cmd: ["b"] }, compress: "gzip" },
  );
  await images.load(stream(archive), undefined, quietly());
}

const saved = (images: Images, references: readonly string[], format: ArchiveFormat = "oci") =>
  buffer(images.save(references, format, signal));

test("an OCI archive of several images is loaded again as the same images with the same names", async () => {
  await withStore(async ({ images }) => {
    await loadTwo(images);
    await images.tag("a:1", "again:latest");
    const archive = await saved(images, ["a:1", "b:2", "again"]);
    await withStore(async ({ images: others }) => {
      await others.load(stream(archive), undefined, quietly());
      for (const name of ["a:1", "b:2", "again:latest"]) {
        assert.equal((await others.resolve(name)).digest, (await images.resolve(name)).digest, name);
      }
    });
  });
});

test("one asked for by its digest has no name in the archive, and blobs are there once", async () => {
  await withStore(async ({ images }) => {
    await loadTwo(images);
    const { digest } = await images.resolve("a:1");
    const alone = await saved(images, [digest]);
    await withStore(async ({ images: others }) => {
      const [image] = await others.load(stream(alone), undefined, quietly());
      assert.deepEqual([image?.digest, image?.references], [digest, []]);
    });
    const both = await saved(images, ["a:1", "b:2"]);
    const single = await saved(images, ["b:2"]);
    assert.ok(both.length < single.length + alone.length - 512, `${both.length}`);
  });
});

test("a docker archive is loaded again with names and configuration", async () => {
  await withStore(async ({ images }) => {
    await loadTwo(images);
    const archive = await saved(images, ["a:1", "b:2"], "docker");
    await withStore(async ({ images: others }) => {
      await others.load(stream(archive), undefined, quietly());
      assert.deepEqual((await others.resolve("a:1")).config.cmd, ["a"]);
      assert.deepEqual((await others.resolve("b:2")).config.cmd, ["b"]);
    });
  });
});

test("an unknown image is an error before the first byte", async () => {
  await withStore(async ({ images }) => {
    await loadTwo(images);
    await assert.rejects(saved(images, ["a:1", "none"]), { code: "image_not_found" });
  });
});

test("an image that is removed while it is saved is saved whole, and gone afterwards", async () => {
  await withStore(async ({ images, directory }) => {
    await loadTwo(images);
    const whole = await saved(images, ["a:1"]);
    const chunks = images.save(["a:1"], "oci", signal)[Symbol.asyncIterator]();
    const parts = [(await chunks.next()).value as Uint8Array];
    assert.equal((await images.remove("a:1", unused)).deleted, true);
    await images.remove("b:2", unused);
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
      parts.push(next.value);
    assert.deepEqual(Buffer.concat(parts), whole);
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  });
});

test("a reader that leaves gives the image back", async () => {
  await withStore(async ({ images, directory }) => {
    await loadTwo(images);
    for await (const _ of images.save(["a:1"], "oci", signal)) break;
    await images.remove("a:1", unused);
    await images.remove("b:2", unused);
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  });
});

test("an image that is removed while somebody looks into it can be read to the end", async () => {
  await withStore(async ({ images, directory }) => {
    await loadTwo(images);
    const files = await images.open("a:1");
    await images.remove("a:1", unused);
    await images.remove("b:2", unused);
    assert.equal((await buffer(files.read("/shared", signal))).length, 5000);
    assert.equal(storedFiles(directory).roots.length, 1);
    await files[Symbol.asyncDispose]();
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  });
});
