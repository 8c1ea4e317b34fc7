import assert from "node:assert/strict";
import { test } from "node:test";
import { imageBlobs } from "../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { digestOf } from "./digest.ts";
import type { Images } from "./port.ts";
import { quietly, stream, withStore } from "./test-room.ts";

/** An image of two layers whose config tells this history. */
async function loadTelling(images: Images, history: unknown): Promise<void> {
  const layers = [makeTar([{ name: "one" }]), makeTar([{ name: "two" }])];
  const [manifest, config, ...blobs] = imageBlobs({ layers });
  assert.ok(config !== undefined);
  const told = Buffer.from(JSON.stringify({ ...JSON.parse(config.bytes.toString()), history }));
  const document = JSON.parse(manifest.bytes.toString());
  document.config = { ...document.config, digest: digestOf(told), size: told.length };
  const bytes = Buffer.from(JSON.stringify(document));
  const index = {
    schemaVersion: 2,
    manifests: [{ mediaType: manifest.mediaType, digest: digestOf(bytes), size: bytes.length }],
  };
  const files = [bytes, told, ...blobs.map((blob) => blob.bytes)].map((content) => ({
    name: `blobs/sha256/${digestOf(content).slice(7)}`,
    content,
  }));
  const archive = makeTar([
    { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: "index.json", content: JSON.stringify(index) },
    ...files,
  ]);
  await images.load(stream(archive), "told", quietly());
}

test("steps come newest first, each with the layer that it left, and those without one with none", async () => {
  await withStore(async ({ images }) => {
    await loadTelling(images, [
      { created: "2026-01-01T00:00:00Z", created_by: "ADD one /" },
      { created_by: "ENV A=b", empty_layer: true },
      { created_by: "ADD two /", comment: "last" },
    ]);
    const steps = await images.history("told");
    assert.deepEqual(
      steps.map(({ created_by, digest, size_bytes }) => [created_by, digest !== undefined, size_bytes > 0]),
      [
        ["ADD two /", true, true],
        ["ENV A=b", false, false],
        ["ADD one /", true, true],
      ],
    );
    assert.equal(steps[0]?.comment, "last");
    assert.equal(steps[2]?.created_at, "2026-01-01T00:00:00Z");
  });
});

test("layers that the config does not tell of are steps of their own", async () => {
  await withStore(async ({ images }) => {
    await loadTelling(images, undefined);
    const steps = await images.history("told");
    assert.equal(steps.length, 2);
    assert.ok(steps.every(({ digest, created_by }) => digest !== undefined && created_by === undefined));
  });
});

test("a history of wrong types is refused by the member's name", async () => {
  await withStore(async ({ images }) => {
    await loadTelling(images, [{ created_by: 7 }]);
    await assert.rejects(images.history("told"), {
      code: "image_invalid",
      message: /history\[0\]\.created_by/,
    });
    await assert.rejects(images.history("none"), { code: "image_not_found" });
  });
});
