/** Pushed documents become images: in the background, on use, in the next daemon's life; and what does not says why. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { imageBlobs, indexBlob, type TestImage } from "../../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../../test/kit/tar-writer.ts";
import { until } from "../../../../../test/kit/until.ts";
import { createImages } from "../images.ts";
import { storedFiles, type TestStore, withStore } from "../test-room.ts";
import { type Document, pushDocument } from "./test-pushes.ts";

const image = (word: string, more: Partial<TestImage> = {}): Document => {
  const layers = [makeTar([{ name: word, content: word }])];
  const [manifest, ...blobs] = imageBlobs({ layers, compress: "gzip", ...more });
  return { bytes: manifest.bytes, blobs: blobs.map(({ bytes }) => bytes) };
};
const refusedAs = (code: string) => (error: UniError) => error.code === code;
const listed = async ({ images }: TestStore) => (await images.list()).flatMap(({ references }) => references);

test("a pushed image is made in the background, under all tags that mean it", async () => {
  await withStore(async (store) => {
    const { images } = store;
    await pushDocument(images.repositories, "web", image("one"), "1");
    await pushDocument(images.repositories, "web", image("one"), "2");
    await pushDocument(images.repositories, "other/web", image("two"), "1");
    await until("all are images", async () => (await listed(store)).length === 3);
    assert.deepEqual((await listed(store)).sort(), ["other/web:1", "web:1", "web:2"]);
    assert.equal((await images.resolve("web:1")).digest, (await images.resolve("web:2")).digest);
  });
});

test("who wants an image that is not made yet joins the work, and gets the image of now", async () => {
  await withStore(async ({ images, directory }) => {
    await pushDocument(images.repositories, "web", image("one"), "1");
    const all = await Promise.all(Array.from({ length: 8 }, () => images.resolve("web:1")));
    assert.equal(new Set(all.map(({ digest }) => digest)).size, 1);
    assert.equal(storedFiles(directory).roots.length, 1);
    const digest = await pushDocument(images.repositories, "web", image("two"), "1");
    assert.equal((await images.resolve("web:1")).digest, digest);
  });
});

test("a document that was pushed by its digest alone is made an image when somebody wants it", async () => {
  await withStore(async ({ images }) => {
    const digest = await pushDocument(images.repositories, "web", image("one"));
    assert.deepEqual(await images.list(), []);
    assert.equal((await images.resolve(`web@${digest}`)).digest, digest);
  });
});

test("of an index this machine's image is made, by its tag and by its digest", async () => {
  await withStore(async ({ images }) => {
    const entries = [];
    for (const architecture of ["arm64", "amd64"]) {
      const document = image(architecture, { architecture });
      const digest = await pushDocument(images.repositories, "web", document);
      const mediaType = "application/vnd.oci.image.manifest.v1+json";
      entries.push({
        mediaType,
        digest,
        size: document.bytes.length,
        platform: { os: "linux", architecture },
      });
    }
    const index = await pushDocument(
      images.repositories,
      "web",
      { bytes: indexBlob(entries).bytes, blobs: [] },
      "1",
    );
    assert.equal((await images.resolve("web:1")).digest, entries[1]?.digest);
    assert.equal((await images.resolve(`web@${index}`)).digest, entries[1]?.digest);
    await images.tag("web:1", "copy:1");
    assert.equal((await images.repositories.manifest("copy", "1"))?.digest, index);
  });
});

test("what gives no image says why to who wants to run it, each time, and is pulled all the same", async () => {
  const bomb = makeTar([{ name: "zeroes", content: Buffer.alloc(8 << 20) }]);
  const hostile: Record<string, { document: Document; code: string }> = {
    bomb: { document: image("x", { layers: [bomb], compress: "zstd" }), code: "image_unsafe" },
    elsewhere: { document: image("x", { architecture: "s390x" }), code: "image_invalid" },
    noise: {
      document: image("x", { layers: [randomBytes(5_000)], compress: "none" }),
      code: "image_invalid",
    },
    mixed: { document: image("x", { diffIds: [`sha256:${"0".repeat(64)}`] }), code: "digest_mismatch" },
    climbing: { document: image("x", { layers: [makeTar([{ name: "../../x" }])] }), code: "image_unsafe" },
  };
  await withStore(
    async ({ images, directory }) => {
      for (const [tag, { document, code }] of Object.entries(hostile)) {
        const digest = await pushDocument(images.repositories, "hostile", document, tag);
        await assert.rejects(images.resolve(`hostile:${tag}`), refusedAs(code), tag);
        await assert.rejects(images.resolve(`hostile:${tag}`), refusedAs(code), tag);
        assert.deepEqual((await images.repositories.manifest("hostile", tag))?.digest, digest);
      }
      assert.deepEqual(await images.list(), []);
      assert.deepEqual(storedFiles(directory).roots, []);
      for (const tag of Object.keys(hostile)) {
        assert.deepEqual((await images.remove(`hostile:${tag}`, () => [])).removed, [`hostile:${tag}`]);
      }
      assert.equal((await images.repositories.tags("hostile"))?.length, 0);
    },
    { limits: { ratio: 20, ratioFreeBytes: 1 << 20 } },
  );
});

test("what an earlier daemon did not come to is made by the next, and what failed is not tried by itself", async () => {
  await withStore(async (store) => {
    const { images, options } = store;
    await images.close();
    await pushDocument(images.repositories, "web", image("one"), "1");
    await pushDocument(images.repositories, "web", image("x", { architecture: "s390x" }), "other");
    assert.deepEqual(await images.list(), []);
    const next = await createImages(options);
    await next.resume();
    await until("the image is made", async () => (await next.list()).length === 1);
    await until("the other has failed", async () => (await options.repositories.waiting()).length === 0);
    await next.close();
    assert.deepEqual(await listed(store), ["web:1"]);
  });
});

test("uni rmi of a pushed tag takes what was pushed for it alone, and leaves what others need", async () => {
  await withStore(async ({ images }) => {
    const digest = await pushDocument(images.repositories, "web", image("one"), "1");
    await pushDocument(images.repositories, "web", image("one"), "2");
    await pushDocument(images.repositories, "other", image("one"), "1");
    await images.resolve("web:1");
    await images.remove("web:1", () => []);
    assert.equal((await images.repositories.manifest("web", digest))?.digest, digest);
    await images.remove("web:2", () => []);
    assert.equal(await images.repositories.manifest("web", digest), undefined);
    assert.equal((await images.repositories.manifest("other", "1"))?.digest, digest);
    assert.deepEqual((await images.resolve("other:1")).references, ["other:1"]);
  });
});
