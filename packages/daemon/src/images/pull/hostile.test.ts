/** What is refused of a registry, and what is left then: nothing but what a next try may go on with. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { HostileRegistry, refuse } from "../../../../../test/kit/hostile-registry.ts";
import { type Blob, describe, imageBlobs, indexBlob, sha256 } from "../../../../../test/kit/image-archive.ts";
import {
  file,
  image,
  largeImage,
  nothing,
  partials,
  withRegistry,
} from "../../../../../test/kit/registry-pulls.ts";
import { storedFiles } from "../test-room.ts";

/** Serves other bytes for one of an image's blobs. */
function spoil(registry: HostileRegistry, { digest }: Blob, bytes: Buffer): void {
  registry.blobs.set(digest, bytes);
}

test("wrong digest: a blob with other bytes is refused", () =>
  withRegistry(async ({ registry, pull, directory }) => {
    for (const which of [1, 2]) {
      const blobs = imageBlobs(largeImage());
      registry.add(blobs, "1");
      const wrong = blobs[which];
      assert.ok(wrong !== undefined);
      spoil(registry, wrong, randomBytes(wrong.size));
      await assert.rejects(pull(), { code: "digest_mismatch" });
      assert.ok(!storedFiles(directory).blobs.includes(wrong.digest.slice(7)));
      assert.ok(!partials(directory).includes(wrong.digest.slice(7)));
      assert.deepEqual(storedFiles(directory).roots, []);
    }
  }));

test("wrong digest: a document that is not what was asked for is refused", () =>
  withRegistry(async ({ registry, pull, directory }) => {
    const [manifest] = imageBlobs(image);
    registry.add(imageBlobs({ ...image, config: { Cmd: ["other"] } }), manifest.digest);
    await assert.rejects(pull(`web@${manifest.digest}`), { code: "digest_mismatch" });
    registry.intercepts.push((_seen, response) => {
      response.setHeader("docker-content-digest", `sha256:${"0".repeat(64)}`);
      return false;
    });
    registry.manifests.set("1", { ...manifest, digest: `sha256:${"0".repeat(64)}` });
    await assert.rejects(pull(), { code: "digest_mismatch" });
    assert.deepEqual(storedFiles(directory), nothing);
  }));

test("truncated blob: one that ends too soon every time is refused, one that is too long at once", () =>
  withRegistry(async ({ registry, pull, directory }) => {
    const blobs = imageBlobs(largeImage());
    registry.add(blobs, "1");
    const [, , layer] = blobs;
    assert.ok(layer !== undefined);
    spoil(registry, layer, layer.bytes.subarray(0, 100_000));
    await assert.rejects(pull(), { code: "unreachable", message: /ends after 100000 of \d+ bytes/ });
    assert.deepEqual(partials(directory), [layer.digest.slice(7)], "what came may be right");
    spoil(registry, layer, Buffer.concat([layer.bytes, Buffer.from("x")]));
    await assert.rejects(pull(), { code: "digest_mismatch" });
    registry.blobs.set(layer.digest, layer.bytes);
    assert.equal((await pull()).digest, blobs[0].digest);
  }));

test("no such image, and no right to see it", () =>
  withRegistry(async ({ registry, pull }) => {
    await assert.rejects(pull(), { code: "image_not_found", message: /has no such image/ });
    registry.intercepts.push((_seen, response) => {
      refuse(response, 403, "DENIED");
      return true;
    });
    await assert.rejects(pull(), { code: "registry_denied", message: /DENIED/, hint: /uni login/ });
  }));

test("hostile documents are refused: huge, deep, endless, and of other kinds", () =>
  withRegistry(async ({ registry, pull, directory }) => {
    const put = (bytes: Buffer | string): void => {
      const content = Buffer.from(bytes);
      registry.add(
        [{ mediaType: "application/json", digest: sha256(content), size: content.length, bytes: content }],
        "1",
      );
    };
    put(Buffer.alloc(5 * 2 ** 20, " "));
    await assert.rejects(pull(), { code: "too_large" });
    put("[".repeat(2 ** 20));
    await assert.rejects(pull(), { code: "image_unsafe", message: /levels of nesting/ });
    let inner = imageBlobs(image)[0];
    for (let depth = 0; depth < 8; depth++) {
      inner = indexBlob([{ ...describe(inner), platform: { os: "linux", architecture: "amd64" } }]);
      registry.add([inner], "1");
    }
    await assert.rejects(pull(), { code: "image_invalid", message: /too many indexes/ });
    put(JSON.stringify({ schemaVersion: 1, fsLayers: [] }));
    await assert.rejects(pull(), { code: "image_invalid", message: /schema 1/ });
    const [{ bytes }, config, ...layers] = imageBlobs(image);
    registry.blobs.set(config?.digest ?? "", config?.bytes ?? Buffer.alloc(0));
    const manifest = JSON.parse(bytes.toString());
    put(
      JSON.stringify({
        ...manifest,
        config: { ...describe(config as Blob), mediaType: "application/x-chart" },
      }),
    );
    await assert.rejects(pull(), {
      code: "image_invalid",
      message: /not an image but "application\/x-chart"/,
    });
    put(
      JSON.stringify({
        ...manifest,
        layers: layers.map((each) => ({ ...describe(each), mediaType: "text/plain" })),
      }),
    );
    await assert.rejects(pull(), { code: "image_invalid", message: /text\/plain/ });
    put(
      JSON.stringify({ ...manifest, layers: layers.map((each) => ({ ...describe(each), size: 2 ** 45 })) }),
    );
    await assert.rejects(pull(), { code: "image_unsafe", message: /over the limit of \d+ bytes/ });
    assert.deepEqual(storedFiles(directory).roots, []);
    assert.deepEqual(partials(directory), []);
  }));

test("a zip bomb layer is refused, and nothing of it is left in the way", () =>
  withRegistry(
    async ({ registry, pull, directory, images }) => {
      const bomb = imageBlobs({ layers: [file("zeroes", Buffer.alloc(8 * 2 ** 20))], compress: "gzip" });
      registry.add(bomb, "1");
      await assert.rejects(pull(), { code: "image_unsafe" });
      await images.collect();
      assert.deepEqual(storedFiles(directory), nothing);
      assert.deepEqual(partials(directory), []);
    },
    { limits: { ratioFreeBytes: 2 ** 20 } },
  ));

test("disk full: the error says how much is needed, and nothing is left", () =>
  withRegistry(
    async ({ registry, pull, directory, images }) => {
      registry.add(imageBlobs(largeImage()), "1");
      await assert.rejects(pull(), { code: "no_space", message: /are needed, 1000 bytes are free/ });
      assert.deepEqual(partials(directory), []);
      await images.collect();
      assert.deepEqual(storedFiles(directory), nothing);
    },
    { freeBytes: async () => 1000 },
  ));

test("a mirror with other bytes is not believed: the registry itself is asked", async () => {
  const mirror = await HostileRegistry.start();
  const mirrors = new Map<string, URL[]>();
  try {
    await withRegistry(
      async ({ registry, pull }) => {
        mirrors.set(registry.host, [new URL(`http://${mirror.host}`)]);
        const blobs = imageBlobs(largeImage());
        registry.add(blobs, "1");
        mirror.add(blobs, "1");
        const [, , layer] = blobs;
        assert.ok(layer !== undefined);
        spoil(mirror, layer, randomBytes(layer.size));
        assert.equal((await pull()).digest, blobs[0].digest);
        assert.deepEqual(
          registry.seen.map(({ path }) => path).filter((path) => path !== "/v2/"),
          [`/v2/team/web/blobs/${layer.digest}`],
        );
      },
      { remoteOptions: { mirrors } },
    );
  } finally {
    await mirror.stop();
  }
});
