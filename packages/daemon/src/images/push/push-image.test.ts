import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "@uni/contract/ids";
import { refuse } from "../../../../../test/kit/hostile-registry.ts";
import { imageArchive, imageBlobs } from "../../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../../test/kit/tar-writer.ts";
import { startUploadRegistry, type UploadRegistry } from "../../../../../test/kit/upload-registry.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { digestOf } from "../digest.ts";
import type { Progress } from "../port.ts";
import { createRemote } from "../remote/client.ts";
import { quietly, storedFiles, stream, type TestStore, withStore } from "../test-room.ts";
import { uploadBlob } from "./blob-upload.ts";

const unused = (): string[] => [];
const layers = [makeTar([{ name: "a", content: "a".repeat(3000) }]), makeTar([{ name: "b", content: "b" }])];
/** Waits for nothing. */
const hasty = { ...systemClock, sleep: async () => {} };

async function withBoth(
  body: (store: TestStore, target: UploadRegistry, name: string) => Promise<void>,
): Promise<void> {
  const target = await startUploadRegistry();
  try {
    await withStore(
      async (store) => {
        const archive = imageArchive({ layers, name: "web:1", compress: "gzip" });
        await store.images.load(stream(archive), undefined, quietly());
        await body(store, target, `${target.registry.host}/team/web:1`);
      },
      { clock: hasty },
    );
  } finally {
    await target.registry.stop();
  }
}

const methods = ({ registry }: UploadRegistry, method: string, part: string): number =>
  registry.seen.filter((seen) => seen.method === method && seen.path.includes(part)).length;

test("what is pushed is there byte for byte under its name, its layers before its manifest", () =>
  withBoth(async ({ images }, target, name) => {
    const progress: Progress[] = [];
    const pushed = await images.push({ reference: "web:1", destination: name }, quietly(progress));
    const { digest } = await images.resolve("web:1");
    assert.deepEqual(pushed, { reference: name, digest });
    assert.equal(target.registry.manifests.get("1")?.digest, digest);
    for (const { digest: blob, bytes } of imageBlobs({ layers, compress: "gzip" }).slice(1)) {
      assert.deepEqual(target.registry.blobs.get(blob), bytes);
    }
    const last = target.registry.seen.at(-1);
    assert.deepEqual([last?.method, last?.path], ["PUT", "/v2/team/web/manifests/1"]);
    const done = progress.filter(({ layer, current, total }) => layer !== undefined && current === total);
    assert.ok(done.some(({ message }) => message === "pushed"));
  }));

test("blobs that are there are not sent again", () =>
  withBoth(async ({ images }, target, name) => {
    await images.push({ reference: "web:1", destination: name }, quietly());
    const sent = methods(target, "PATCH", "/uploads/");
    const progress: Progress[] = [];
    await images.push({ reference: "web:1", destination: `${name}0` }, quietly(progress));
    assert.equal(methods(target, "PATCH", "/uploads/"), sent);
    assert.ok(progress.every(({ layer, message }) => layer === undefined || message === "already there"));
  }));

test("layers that another repository of the registry has are mounted, and sent where that fails", () =>
  withBoth(async ({ images }, target, name) => {
    await images.push({ reference: "web:1", destination: name }, quietly());
    await images.tag("web:1", name);
    const sent = methods(target, "PATCH", "/uploads/");
    // A registry knows what is in which repository; this one has one set of blobs, so it is told to deny.
    const { blobs } = target.registry;
    target.registry.intercepts.unshift(({ method, path }, response) => {
      if (method !== "HEAD" || !path.startsWith("/v2/other/")) return false;
      refuse(response, 404, "BLOB_UNKNOWN");
      return true;
    });
    const other = name.replace("team/web", "other/web");
    await images.push({ reference: "web:1", destination: other }, quietly());
    assert.equal(methods(target, "PATCH", "/uploads/"), sent);
    assert.ok(methods(target, "POST", "mount=") >= 3);
    target.holdings.clear();
    await images.push(
      { reference: "web:1", destination: other.replace("other/", "other/again-") },
      quietly(),
    );
    assert.ok(methods(target, "PATCH", "/uploads/") > sent);
    assert.equal(target.uploads.size, 0);
    assert.equal(blobs.size, 3);
  }));

test("an index whose other images are not here gives way to the image for this machine", () =>
  withBoth(async ({ images, options }, target, name) => {
    const { digest } = await images.resolve("web:1");
    const row = (await options.catalogue.list())[0];
    assert.ok(row !== undefined);
    const absent = `sha256:${"9".repeat(64)}`;
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [
          { mediaType, digest, size: 1, platform: { os: "linux", architecture: "amd64" } },
          { mediaType, digest: absent, size: 1, platform: { os: "linux", architecture: "arm64" } },
        ],
      }),
    );
    await withIndex(options.directory, index);
    await options.catalogue.put(row, ["web:1"], [digestOf(index)]);
    await images.push({ reference: "web:1", destination: name }, quietly());
    assert.equal(target.registry.manifests.get("1")?.digest, digest);
    // A registry that has the other image takes the index as it is.
    target.registry.manifests.set(absent, { mediaType, digest: absent, size: 1, bytes: Buffer.from("x") });
    await images.push({ reference: "web:1", destination: name }, quietly());
    assert.deepEqual(target.registry.manifests.get("1")?.bytes, index);
  }));

async function withIndex(directory: string, index: Buffer): Promise<void> {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(`${directory}/blobs/sha256/${digestOf(index).slice(7)}`, index);
}

test("an image that is removed while it is pushed is pushed whole, and gone afterwards", () =>
  withBoth(async ({ images, directory }, target, name) => {
    let removed: Promise<unknown> | undefined;
    target.registry.intercepts.unshift(({ method }) => {
      if (method === "PATCH") removed ??= images.remove("web:1", unused);
      return false;
    });
    const { digest } = await images.push({ reference: "web:1", destination: name }, quietly());
    await removed;
    assert.equal(target.registry.manifests.get("1")?.digest, digest);
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  }));

test("a registry that refuses is told with its own words, and a bad destination before anything is asked", () =>
  withBoth(async ({ images }, target, name) => {
    target.registry.intercepts.unshift(({ method }, response) => {
      if (method !== "POST") return false;
      refuse(response, 403, "DENIED");
      return true;
    });
    await assert.rejects(images.push({ reference: "web:1", destination: name }, quietly()), {
      code: "registry_denied",
      message: /DENIED: said the registry/,
    });
    const asked = target.registry.seen.length;
    const by = `${name.slice(0, -2)}@sha256:${"1".repeat(64)}`;
    await assert.rejects(images.push({ reference: "web:1", destination: by }, quietly()), {
      code: "invalid_value",
    });
    await assert.rejects(images.push({ reference: "none", destination: name }, quietly()), {
      code: "image_not_found",
    });
    assert.equal(target.registry.seen.length, asked);
  }));

/** Sends one blob in small chunks to a registry that does what the test says. */
async function send(
  target: UploadRegistry,
  bytes: Buffer,
  chunkBytes: number,
): Promise<{ readonly digest: Digest; readonly reported: number[] }> {
  const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const directory = await mkdtemp(`${tmpdir()}/uni-push-`);
  const remote = createRemote({ clock: hasty, log: silentLog });
  try {
    await writeFile(`${directory}/blob`, bytes);
    const { parseReference } = await import("../reference.ts");
    const repository = await remote.openRepository(parseReference(`${target.registry.host}/a/b`), {
      actions: "pull,push",
      attempted: "push",
    });
    const digest = digestOf(bytes);
    const reported: number[] = [];
    await uploadBlob({
      ...{ repository, signal: new AbortController().signal, clock: hasty, chunkBytes },
      blob: { digest, size: bytes.length },
      path: `${directory}/blob`,
      mountFrom: [],
      onBytes: (sent) => reported.push(sent),
    });
    return { digest, reported };
  } finally {
    remote.close();
    await rm(directory, { recursive: true });
  }
}

const big = Buffer.from(Array.from({ length: 10_000 }, (_, at) => (at * 13) & 0xff));

async function withTarget(body: (target: UploadRegistry) => Promise<void>): Promise<void> {
  const target = await startUploadRegistry();
  try {
    await body(target);
  } finally {
    await target.registry.stop();
  }
}

test("a chunk that fails is gone on with where the registry says that it ended", () =>
  withTarget(async (target) => {
    let patches = 0;
    target.registry.intercepts.unshift(({ method, path, bytes }, response) => {
      if (method !== "PATCH" || ++patches !== 2) return false;
      // Half of it arrived before something broke.
      const id = path.split("/").at(-1) ?? "";
      const before = target.uploads.get(id) ?? Buffer.alloc(0);
      target.uploads.set(id, Buffer.concat([before, bytes.subarray(0, 1500)]));
      response.destroy();
      return true;
    });
    const { digest, reported } = await send(target, big, 3000);
    assert.deepEqual(target.registry.blobs.get(digest), big);
    assert.equal(reported.at(-1), big.length);
    const starts = target.registry.seen
      .filter(({ method }) => method === "PATCH")
      .map(({ headers }) => headers["content-range"]?.split("-")[0]);
    assert.deepEqual(starts, ["0", "3000", "4500", "7500"]);
  }));

test("an upload that the registry has lost begins anew; one that ends well though nobody heard it is done", () =>
  withTarget(async (target) => {
    let patches = 0;
    target.registry.intercepts.unshift(({ method }) => {
      if (method === "PATCH" && ++patches === 2) target.uploads.clear();
      return false;
    });
    assert.deepEqual(target.registry.blobs.get((await send(target, big, 3000)).digest), big);
    const other = Buffer.from("other");
    target.registry.intercepts.unshift(({ method, path }, response) => {
      if (method !== "PUT" || !path.includes("digest=")) return false;
      target.registry.blobs.set(digestOf(other), other);
      response.destroy();
      return true;
    });
    await send(target, other, 3000);
    assert.equal(methods(target, "PUT", encodeURIComponent(digestOf(other))), 1);
  }));

test("a registry that fails for good ends the push with its answer, after some tries", () =>
  withTarget(async (target) => {
    target.registry.intercepts.unshift(({ method }, response) => {
      if (method !== "PATCH") return false;
      refuse(response, 500, "UNKNOWN");
      return true;
    });
    await assert.rejects(send(target, big, 3000), { code: "registry_failed", message: /answered 500/ });
    assert.equal(methods(target, "PATCH", "/uploads/"), 6);
  }));

test("sizes that come to nothing, to a byte, and to whole chunks", () =>
  withTarget(async (target) => {
    for (const size of [0, 1, 2, 2999, 3000, 6000]) {
      const bytes = big.subarray(0, size);
      assert.deepEqual(target.registry.blobs.get((await send(target, bytes, 3000)).digest), bytes, `${size}`);
    }
  }));

test("a push to this machine's own registry gives the name to what is here", () =>
  withStore(
    async ({ images }) => {
      const archive = imageArchive({ layers, name: "web:1" });
      const [loaded] = await images.load(stream(archive), undefined, quietly());
      const destination = "registry.example.com/team/web:2";
      const pushed = await images.push({ reference: "web:1", destination }, quietly());
      assert.deepEqual(pushed, { reference: destination, digest: loaded?.digest });
      assert.deepEqual((await images.resolve("team/web:2")).references, ["team/web:2", "web:1"]);
    },
    { ownHosts: () => ["registry.example.com"] },
  ));
