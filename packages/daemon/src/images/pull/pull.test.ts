/** How pulls go: what is fetched, from whom, and what is shared. */
import assert from "node:assert/strict";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  HostileRegistry,
  type Intercept,
  refuse,
  sendBytes,
} from "../../../../../test/kit/hostile-registry.ts";
import { describe, imageBlobs, indexBlob } from "../../../../../test/kit/image-archive.ts";
import {
  file,
  image,
  largeImage,
  nothing,
  partials,
  withRegistry,
} from "../../../../../test/kit/registry-pulls.ts";
import { createImages } from "../images.ts";
import type { Progress, PullRequest } from "../port.ts";
import { quietly, storedFiles } from "../test-room.ts";

for (const compress of ["none", "gzip", "zstd"] as const) {
  for (const docker of [false, true]) {
    test(`an image comes with layers ${compress}, ${docker ? "Docker schema 2" : "OCI"}`, () =>
      withRegistry(async ({ registry, pull }) => {
        registry.add(imageBlobs({ ...image, compress, docker, config: { Cmd: ["x"] } }), "1");
        const pulled = await pull();
        assert.deepEqual(pulled.references, [`${registry.host}/team/web:1`]);
        assert.deepEqual(pulled.config.cmd, ["x"]);
      }));
  }
}

test("an index leads to the image for this machine, and the name means the index", () =>
  withRegistry(async ({ registry, pull, options, directory }) => {
    const mine = imageBlobs(image);
    const other = imageBlobs({ ...image, architecture: "arm64" });
    const index = indexBlob([
      { ...describe(other[0]), platform: { os: "linux", architecture: "arm64" } },
      { ...describe(mine[0]), platform: { os: "linux", architecture: "amd64" } },
    ]);
    registry.add(mine);
    registry.add([index], "1");
    const pulled = await pull();
    assert.equal(pulled.digest, mine[0].digest);
    assert.equal((await options.catalogue.references())[0]?.target, index.digest);
    assert.ok(
      storedFiles(directory).blobs.includes(index.digest.slice(7)),
      "whoever pulls it gets the index",
    );
    assert.equal(registry.count(other[0].digest), 0);
    const again = await pull(`web@${index.digest}`, { policy: "if_not_present" });
    assert.equal(again.digest, mine[0].digest);
  }));

test("an index that was pulled by its digest alone is found by it, stays with its image, and goes with it", () =>
  withRegistry(async ({ registry, pull, images, directory }) => {
    const [manifest, ...blobs] = imageBlobs(image);
    const inner = indexBlob([{ ...describe(manifest), platform: { os: "linux", architecture: "amd64" } }]);
    const outer = indexBlob([describe(inner)]);
    registry.add([manifest, ...blobs]);
    for (const index of [inner, outer]) registry.add([index]);
    await pull(`web@${outer.digest}`);
    await images.collect();
    const stored = () => storedFiles(directory).blobs;
    for (const { digest } of [inner, outer]) {
      for (const text of [digest, `${registry.host}/team/web@${digest}`]) {
        assert.equal((await images.resolve(text)).digest, manifest.digest);
        assert.ok((await images.history(text)).length > 0);
      }
      assert.ok(stored().includes(digest.slice(7)));
    }
    registry.seen.length = 0;
    await pull(`web@${outer.digest}`, { policy: "if_not_present" });
    assert.deepEqual(registry.seen, []);
    await images.remove(`${registry.host}/team/web@${outer.digest}`, () => []);
    assert.deepEqual(stored(), []);
  }));

test("no image for this machine: the error says which there are", () =>
  withRegistry(async ({ registry, pull, directory }) => {
    const other = imageBlobs({ ...image, architecture: "arm64" });
    registry.add(
      [indexBlob([{ ...describe(other[0]), platform: { os: "linux", architecture: "arm64" } }])],
      "1",
    );
    await assert.rejects(pull(), { code: "image_invalid", message: /only linux\/arm64/ });
    assert.deepEqual(storedFiles(directory), nothing);
  }));

test("always asks what the tag means now, and fetches only what changed", () =>
  withRegistry(async ({ registry, pull }) => {
    const before = imageBlobs(image);
    registry.add(before, "1");
    await pull();
    registry.seen.length = 0;
    assert.equal((await pull()).digest, before[0].digest);
    assert.deepEqual(
      registry.seen.map(({ method, path }) => `${method} ${path}`),
      ["HEAD /v2/team/web/manifests/1"],
    );
    const after = imageBlobs({ ...image, layers: [file("a", "lower"), file("b", "newer")] });
    registry.add(after, "1");
    const newer = await pull();
    assert.equal(newer.digest, after[0].digest);
    assert.equal(registry.count(before[2]?.digest ?? ""), 0, "the lower layer is here already");
    assert.equal(registry.count(after[3]?.digest ?? ""), 1);
    registry.seen.length = 0;
    assert.equal((await pull("web:1", { policy: "if_not_present" })).digest, after[0].digest);
    assert.equal((await pull("web:1", { policy: "never" })).digest, after[0].digest);
    assert.equal(registry.seen.length, 0);
  }));

test("never, and it is not here: an error, and nobody is asked", () =>
  withRegistry(async ({ registry, pull }) => {
    await assert.rejects(pull("web:1", { policy: "never" }), { code: "image_not_found", hint: /uni pull/ });
    assert.equal(registry.seen.length, 0);
  }));

test("pulls at the same time share the work, and one that gives up does not end it for the others", () =>
  withRegistry(async ({ registry, images }) => {
    const blobs = imageBlobs(image);
    registry.add(blobs, "1");
    const asked = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    registry.intercepts.push((seen, response) => {
      const bytes = registry.blobs.get(seen.path.split("/").at(-1) ?? "");
      if (bytes === undefined) return false;
      asked.resolve();
      void gate.promise.then(() => sendBytes(seen, response, bytes));
      return true;
    });
    const reference = `${registry.host}/team/web:1`;
    const impatient = new AbortController();
    const progress: Progress[] = [];
    const callers = [
      images.pull(reference, { policy: "always" }, { ...quietly(), signal: impatient.signal }),
      images.pull(reference, { policy: "always" }, quietly(progress)),
      images.pull(reference, { policy: "always" }, quietly()),
    ];
    await asked.promise;
    impatient.abort(new Error("enough"));
    await assert.rejects(callers[0] ?? Promise.resolve(), /enough/);
    gate.resolve();
    const digests = await Promise.all(callers.slice(1).map(async (each) => (await each).digest));
    assert.deepEqual(digests, [blobs[0].digest, blobs[0].digest]);
    for (const { digest } of blobs) assert.ok(registry.count(digest) <= 1, `${digest} was fetched once`);
    assert.ok(progress.some(({ step }) => step === "layer"));
  }));

test("a pull that everybody gives up ends", () =>
  withRegistry(async ({ registry, images, directory }) => {
    registry.add(imageBlobs(image), "1");
    const caller = new AbortController();
    const closed = Promise.withResolvers<void>();
    registry.intercepts.push(({ path }, response) => {
      if (!path.includes("/blobs/")) return false;
      response.once("close", () => closed.resolve());
      caller.abort(new Error("enough"));
      return true;
    });
    const options = { ...quietly(), signal: caller.signal };
    await assert.rejects(images.pull(`${registry.host}/team/web:1`, { policy: "always" }, options), /enough/);
    await closed.promise;
    assert.deepEqual(storedFiles(directory).roots, []);
  }));

test("a blob that breaks off is gone on with where it ended", () =>
  withRegistry(async ({ registry, pull }) => {
    const blobs = imageBlobs(largeImage());
    registry.add(blobs, "1");
    const [, , layer] = blobs;
    assert.ok(layer !== undefined);
    registry.intercepts.push(({ path, headers }, response) => {
      if (!path.endsWith(layer.digest) || headers.range !== undefined) return false;
      response.writeHead(200, { "content-length": layer.size });
      response.write(layer.bytes.subarray(0, 100_000), () => response.destroy());
      return true;
    });
    assert.equal((await pull()).digest, blobs[0].digest);
    const ranges = registry.seen
      .filter(({ path }) => path.endsWith(layer.digest))
      .map(({ headers }) => Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0));
    assert.equal(ranges.length, 2);
    assert.ok((ranges[1] ?? 0) > 0);
  }));

test("a registry that knows no ranges sends a blob again from its start", () =>
  withRegistry(async ({ registry, pull }) => {
    const blobs = imageBlobs(largeImage());
    registry.add(blobs, "1");
    const [, , layer] = blobs;
    assert.ok(layer !== undefined);
    let breaks = 1;
    registry.intercepts.push(({ path }, response) => {
      if (!path.endsWith(layer.digest)) return false;
      response.writeHead(200, { "content-length": layer.size });
      if (breaks-- > 0) response.write(layer.bytes.subarray(0, 100_000), () => response.destroy());
      else response.end(layer.bytes);
      return true;
    });
    assert.equal((await pull()).digest, blobs[0].digest);
  }));

test("what the daemon had of a blob when it was killed is not fetched again", () =>
  withRegistry(async ({ registry, pull, directory }) => {
    const blobs = imageBlobs(largeImage());
    registry.add(blobs, "1");
    const [, , layer] = blobs;
    assert.ok(layer !== undefined);
    writeFileSync(join(directory, "partial", layer.digest.slice(7)), layer.bytes.subarray(0, 120_000));
    assert.equal((await pull()).digest, blobs[0].digest);
    assert.equal(
      registry.seen.find(({ path }) => path.endsWith(layer.digest))?.headers.range,
      "bytes=120000-",
    );
    assert.deepEqual(partials(directory), []);
  }));

test("a partial blob that a power failure tore is fetched from its start", () =>
  withRegistry(async ({ registry, pull, directory }) => {
    const blobs = imageBlobs(largeImage());
    registry.add(blobs, "1");
    const [, , layer] = blobs;
    assert.ok(layer !== undefined);
    writeFileSync(join(directory, "partial", layer.digest.slice(7)), Buffer.alloc(120_000));
    assert.equal((await pull()).digest, blobs[0].digest);
    assert.deepEqual(partials(directory), []);
  }));

test("a partial blob is removed after a day, and not before", () =>
  withRegistry(async ({ images, directory, options }) => {
    const path = join(directory, "partial", "0".repeat(64));
    writeFileSync(path, "some");
    await images.collect();
    assert.equal(partials(directory).length, 1);
    const old = new Date(options.clock.now() - 86_400_001);
    utimesSync(path, old, old);
    assert.ok((await images.collect()) > 0);
    assert.deepEqual(partials(directory), []);
  }));

test("layers come three at once, and each one only once", () =>
  withRegistry(async ({ registry, pull }) => {
    const layers = Array.from({ length: 8 }, (_, index) => file(`f${index}`, String(index)));
    const blobs = imageBlobs({ layers: [...layers, layers[0] as Buffer] });
    registry.add(blobs, "1");
    let open = 0;
    let most = 0;
    const three = Promise.withResolvers<void>();
    registry.intercepts.push((seen, response) => {
      const bytes = registry.blobs.get(seen.path.split("/").at(-1) ?? "");
      if (bytes === undefined) return false;
      if (seen.path.endsWith(blobs[1]?.digest ?? "")) return false;
      most = Math.max(most, ++open);
      if (open === 3) three.resolve();
      void three.promise.then(() => {
        open -= 1;
        sendBytes(seen, response, bytes);
      });
      return true;
    });
    await pull();
    assert.equal(most, 3);
    for (const { digest } of blobs.slice(2)) assert.equal(registry.count(digest), 1);
  }));

test("a pull that is not to be shared fetches by itself, and finds what the other has brought", () =>
  withRegistry(async ({ registry, pull }) => {
    const blobs = imageBlobs(image);
    registry.add(blobs, "1");
    const apart = { mergeRequests: false };
    const pulled = await Promise.all([pull("web:1", apart), pull("web:1", apart)]);
    assert.deepEqual(
      pulled.map(({ digest }) => digest),
      [blobs[0].digest, blobs[0].digest],
    );
    assert.equal(registry.count("/manifests/1"), 2);
    assert.equal(registry.count(blobs[2]?.digest ?? ""), 1);
  }));

test("the next daemon has what this one pulled", () =>
  withRegistry(async ({ registry, pull, options }) => {
    registry.add(imageBlobs(image), "1");
    const { digest, rootPath } = await pull();
    const again = await createImages(options);
    assert.equal((await again.resolve(`${registry.host}/team/web:1`)).digest, digest);
    assert.ok(readFileSync(rootPath).length > 0);
  }));

test("pulls of different images wait for their turn, and say so; those of another registry need not", () =>
  withRegistry(async ({ registry, images, pull }) => {
    const other = await HostileRegistry.start();
    try {
      const gate = Promise.withResolvers<void>();
      const asked = Promise.withResolvers<void>();
      const held = new Set<string>();
      for (const tag of ["1", "2", "3", "4"])
        registry.add(imageBlobs({ ...image, config: { Cmd: [tag] } }), tag);
      other.add(imageBlobs(image), "1");
      registry.intercepts.push((seen, response) => {
        const document = registry.manifests.get(seen.path.split("/").at(-1) ?? "");
        if (document === undefined) return false;
        held.add(seen.path);
        if (held.size === 3) asked.resolve();
        void gate.promise.then(() => sendBytes(seen, response, document.bytes, document));
        return true;
      });
      const first = ["1", "2", "3"].map((tag) => pull(`web:${tag}`));
      await asked.promise;
      const progress: Progress[] = [];
      const fourth = pull("web:4", {}, progress);
      await images.pull(`${other.host}/team/web:1`, { policy: "always" }, quietly());
      assert.equal(held.size, 3);
      assert.deepEqual(progress, [{ step: "wait", message: "waiting: many other pulls are under way" }]);
      gate.resolve();
      await Promise.all([...first, fourth]);
      assert.equal(held.size, 4);
    } finally {
      await other.stop();
    }
  }));

test("whoever misspelt a name hears what is here, in whatever way the default registry fails", async () => {
  const known = await HostileRegistry.start();
  try {
    const remoteOptions = { defaultRegistry: known.host };
    await withRegistry(
      async ({ images }) => {
        known.add(imageBlobs(image), "1");
        await images.pull("hello:1", { policy: "always" }, quietly());
        const misspelt = (request: Partial<PullRequest> = {}) =>
          images.pull("helo", { policy: "if_not_present", ...request }, quietly());
        const near = /Here there is hello:1/;
        await assert.rejects(misspelt(), { code: "image_not_found", hint: near });
        const refusing =
          (status: number): Intercept =>
          (_seen, response) => {
            refuse(response, status, "DENIED");
            return true;
          };
        let act = refusing(403);
        known.intercepts.push((seen, response) => act(seen, response));
        await assert.rejects(misspelt(), { code: "registry_denied", hint: near });
        act = refusing(503);
        await assert.rejects(misspelt(), { code: "registry_failed", hint: near });
        act = () => true;
        await assert.rejects(misspelt({ forInstance: true }), { code: "timed_out", hint: near });
        await known.stop();
        await assert.rejects(misspelt(), { code: "unreachable", hint: near });
      },
      { remoteOptions, pullTimeoutMs: 500 },
    );
  } finally {
    await known.stop();
  }
});
