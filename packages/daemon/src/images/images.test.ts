import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { request } from "../../../../test/kit/builds.ts";
import { imageArchive } from "../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { createImages } from "./images.ts";
import type { Image, Images } from "./port.ts";
import { quietly, storedFiles, stream, withStore } from "./test-room.ts";

const unused = (): string[] => [];

async function loadImage(images: Images, name: string, content = name): Promise<Image> {
  const archive = imageArchive({ layers: [makeTar([{ name: "f", content }])], config: { Cmd: [content] } });
  const [image] = await images.load(stream(archive), name, quietly());
  assert.ok(image !== undefined);
  return image;
}

test("an image is found by name, tag, digest and beginning of a digest", async () => {
  await withStore(async ({ images }) => {
    const { digest } = await loadImage(images, "hello");
    await loadImage(images, "other");
    const digits = digest.slice("sha256:".length);
    for (const text of [
      "hello",
      "hello:latest",
      digest,
      digits.slice(0, 8),
      `sha256:${digits.slice(0, 12)}`,
      digits,
    ]) {
      assert.equal((await images.resolve(text)).digest, digest, text);
    }
    assert.equal((await images.resolve(`hello@${digest}`)).digest, digest);
  });
});

test("an image that is not there: near names in the hint", async () => {
  await withStore(async ({ images }) => {
    await assert.rejects(images.resolve("helo"), {
      code: "image_not_found",
      hint: /There are no images yet/,
    });
    await loadImage(images, "hello");
    await assert.rejects(images.resolve("helo"), {
      code: "image_not_found",
      hint: /Did you mean hello:latest\?/,
    });
    await assert.rejects(images.resolve("hello:2"), { code: "image_not_found", hint: /hello:latest/ });
    await assert.rejects(images.resolve("0123456789ab"), { code: "image_not_found" });
    await assert.rejects(images.resolve(`sha256:${"0".repeat(64)}`), { code: "image_not_found" });
    await assert.rejects(images.resolve("Not A Name"), { code: "invalid_value" });
  });
});

test("a beginning that several digests share is ambiguous and lists them", async () => {
  await withStore(async ({ images, catalogue }) => {
    const row = { createdAt: 1, sizeBytes: 1, root: "r", config: "{}", blobs: [], missing: [] };
    const digest = (end: string) => `sha256:${"ab".repeat(31)}${end}` as Image["digest"];
    await catalogue.put({ ...row, digest: digest("01") }, ["one:1"]);
    await catalogue.put({ ...row, digest: digest("02") }, []);
    await assert.rejects(images.resolve("ababab"), { code: "ambiguous", hint: /one:1.*no name/ });
  });
});

test("tagging moves a name; the image it leaves stays", async () => {
  await withStore(async ({ images }) => {
    const first = await loadImage(images, "web:1");
    const second = await loadImage(images, "web:2");
    await images.tag("web:1", "web");
    await images.tag("web:2", "web");
    assert.equal((await images.resolve("web")).digest, second.digest);
    await images.tag("web:2", "web:1");
    assert.deepEqual((await images.resolve(first.digest)).references, []);
    assert.deepEqual((await images.resolve("web")).references, ["web:1", "web:2", "web:latest"]);
    await assert.rejects(images.tag("nothing", "web"), { code: "image_not_found" });
  });
});

test("removing a name keeps the image while it has another; the last one frees the room", async () => {
  await withStore(async ({ images, directory }) => {
    await loadImage(images, "web:1");
    await images.tag("web:1", "web:2");
    const first = await images.remove("web:1", unused);
    assert.deepEqual(first, { removed: ["web:1"], deleted: false });
    assert.equal(storedFiles(directory).roots.length, 1);
    const last = await images.remove("web:2", unused);
    assert.deepEqual(last, { removed: ["web:2"], deleted: true });
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  });
});

test("removing by digest takes all names", async () => {
  await withStore(async ({ images }) => {
    const { digest } = await loadImage(images, "web:1");
    await images.tag("web:1", "web:2");
    const { removed, deleted } = await images.remove(digest.slice(7, 20), unused);
    assert.deepEqual([[...removed], deleted], [["web:1", "web:2"], true]);
  });
});

test("an image in use loses a name but not its last", async () => {
  await withStore(async ({ images, directory }) => {
    const { digest } = await loadImage(images, "web:1");
    await images.tag("web:1", "web:2");
    const users = (used: string): string[] => (used === digest ? ["vm-1"] : []);
    assert.equal((await images.remove("web:2", users)).deleted, false);
    await assert.rejects(images.remove("web:1", users), { code: "in_use", message: /vm-1/ });
    await assert.rejects(images.remove(digest, users), { code: "in_use" });
    assert.equal(storedFiles(directory).roots.length, 1);
  });
});

test("layers that another image has stay when one goes", async () => {
  await withStore(async ({ images, directory }) => {
    const layer = makeTar([{ name: "shared", content: "x" }]);
    const archive = imageArchive(
      { layers: [layer], name: "a:1", config: { Cmd: ["a"] } },
      { layers: [layer], name: "b:1", config: { Cmd: ["b"] } },
    );
    await images.load(stream(archive), undefined, quietly());
    await images.remove("a:1", unused);
    const left = await images.resolve("b:1");
    assert.ok(existsSync(left.rootPath));
    assert.equal(storedFiles(directory).blobs.length, 3);
  });
});

test("a new daemon finds the images, and collects what a crash left", async () => {
  await withStore(async ({ images, directory, options }) => {
    const image = await loadImage(images, "web");
    writeFileSync(join(directory, "tmp", "half"), "x");
    mkdirSync(join(directory, "tmp", "build", "deep"), { recursive: true });
    writeFileSync(join(directory, "blobs", "sha256", "0".repeat(64)), "x");
    writeFileSync(join(directory, "roots", `${"1".repeat(64)}.erofs`), "x");
    const before = storedFiles(directory);
    const again = await createImages(options);
    assert.ok((await again.collect()) > 0);
    const after = storedFiles(directory);
    assert.deepEqual(after.scratch, []);
    assert.equal(after.blobs.length, before.blobs.length - 1);
    assert.equal(after.roots.length, 1);
    assert.deepEqual(await again.resolve("web"), image);
    assert.equal(await again.collect(), 0);
  });
});

test("a root that is gone is made again by the next load", async () => {
  await withStore(async ({ images, directory, options }) => {
    const image = await loadImage(images, "web");
    const { rmSync } = await import("node:fs");
    rmSync(image.rootPath);
    assert.deepEqual(storedFiles(directory).roots, []);
    const again = await createImages(options);
    await loadImage(again, "web");
    assert.equal(storedFiles(directory).roots.length, 1);
  });
});

test("a collection while a load runs takes nothing from it", async () => {
  await withStore(async ({ images }) => {
    let collected = 0;
    const archive = imageArchive({ layers: [makeTar([{ name: "f", content: Buffer.alloc(1 << 20, 7) }])] });
    const pending: Promise<unknown>[] = [];
    const onProgress = (): void => {
      collected++;
      pending.push(images.collect());
    };
    const { signal } = new AbortController();
    const [image] = await images.load(stream(archive), "web", { signal, onProgress });
    await Promise.all(pending);
    assert.ok(collected > 2);
    assert.ok(existsSync(image?.rootPath ?? ""));
    assert.equal((await images.resolve("web")).digest, image?.digest);
  });
});

test("nameless images go with a collection that knows what is used, unless somebody uses them", async () => {
  await withStore(async ({ images }) => {
    const kept = await loadImage(images, "web", "one");
    const gone = await loadImage(images, "web", "two");
    await loadImage(images, "web", "three");
    await images.collect();
    assert.equal((await images.list()).length, 3);
    await images.collect({ inUse: (digest) => (digest === kept.digest ? ["vm-1"] : []) });
    assert.equal((await images.list()).length, 2);
    await assert.rejects(images.resolve(gone.digest), { code: "image_not_found" });
  });
});

test("a build needs a builder, and says which are missing", async () => {
  await withStore(async ({ images }) => {
    await assert.rejects(images.build(stream(makeTar([])), request, quietly()), { code: "host_unfit" });
  });
});
