import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  describe,
  imageArchive,
  imageBlobs,
  indexBlob,
  layoutTar,
  sha256,
  type TestImage,
} from "../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { quietly, storedFiles, stream, withStore } from "./test-room.ts";

const lower = makeTar([
  { name: "etc/" },
  { name: "etc/motd", content: "lower" },
  { name: "gone", content: "x" },
]);
const upper = makeTar([{ name: "etc/motd", content: "upper" }, { name: ".wh.gone" }]);
const config = {
  Entrypoint: ["/bin/app"],
  Cmd: ["serve"],
  Env: ["A=1", "PATH=/bin", "A=2", "ODD"],
  User: "app:app",
  WorkingDir: "/srv",
  ExposedPorts: { "80/tcp": {} },
  Labels: { who: "me" },
  StopSignal: "SIGINT",
  Unknown: [1],
};
const image: TestImage = { layers: [lower, upper], name: "hello:1", config };
const nothing = { blobs: [], roots: [], scratch: [] };

function readRoot(path: string, file: string): string {
  const directory = mkdtempSync(join(tmpdir(), "uni-root-"));
  try {
    execFileSync("fsck.erofs", [`--extract=${join(directory, "x")}`, path], { stdio: "pipe" });
    return readFileSync(join(directory, "x", file), "utf8");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const compress of ["none", "gzip", "zstd"] as const) {
  for (const docker of [false, true]) {
    test(`layers: ${compress}, media types: ${docker ? "Docker schema 2" : "OCI"}`, async () => {
      await withStore(async ({ images, directory }) => {
        const archive = imageArchive({ ...image, compress, docker });
        const [loaded, ...others] = await images.load(stream(archive), undefined, quietly());
        assert.ok(loaded !== undefined && others.length === 0);
        assert.deepEqual(loaded.references, ["hello:1"]);
        assert.equal(readRoot(loaded.rootPath, "etc/motd"), "upper");
        assert.throws(() => readRoot(loaded.rootPath, "gone"), { code: "ENOENT" });
        assert.equal(statSync(loaded.rootPath).mode & 0o777, 0o444);
        assert.equal(statSync(loaded.rootPath).size, loaded.sizeBytes);
        assert.equal(statSync(join(directory, "roots")).mode & 0o777, 0o755);
        assert.deepEqual(storedFiles(directory).scratch, []);
      });
    });
  }
}

for (const [name, pack] of [
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
] as const) {
  test(`the archive itself may be packed with ${name}`, async () => {
    await withStore(async ({ images }) => {
      const [loaded] = await images.load(stream(pack(imageArchive(image))), undefined, quietly());
      assert.deepEqual(loaded?.references, ["hello:1"]);
    });
  });
}

test("the config is read as Docker reads it", async () => {
  await withStore(async ({ images }) => {
    const [loaded] = await images.load(stream(imageArchive(image)), undefined, quietly());
    assert.deepEqual(loaded?.config, {
      entrypoint: ["/bin/app"],
      cmd: ["serve"],
      env: { A: "2", PATH: "/bin" },
      user: "app:app",
      workingDirectory: "/srv",
      exposedPorts: ["80/tcp"],
      labels: { who: "me" },
      stopSignal: "SIGINT",
      architecture: "amd64",
    });
  });
});

test("images that differ in their config only share one root", async () => {
  await withStore(async ({ images, directory }) => {
    const other = { ...image, name: "hello:2", config: { Cmd: ["other"] }, compress: "gzip" as const };
    const both = await images.load(stream(imageArchive(image, other)), undefined, quietly());
    assert.equal(both.length, 2);
    assert.equal(both[0]?.rootPath, both[1]?.rootPath);
    assert.equal(storedFiles(directory).roots.length, 1);
  });
});

test("an index is followed to the image of this machine", async () => {
  await withStore(async ({ images }) => {
    const arm = imageBlobs({ ...image, architecture: "arm64" });
    const amd = imageBlobs(image);
    const entry = (blobs: typeof arm, architecture: string, os = "linux") => ({
      ...describe(blobs[0]),
      platform: { os, architecture },
    });
    const attestation = entry(arm, "unknown", "unknown");
    const index = indexBlob([attestation, entry(arm, "arm64"), entry(amd, "amd64")]);
    const outer = indexBlob([describe(index)]);
    const archive = layoutTar([describe(outer)], [outer, index, ...arm, ...amd]);
    const [loaded] = await images.load(stream(archive), "multi", quietly());
    assert.equal(loaded?.digest, amd[0].digest);
    const without = indexBlob([attestation, entry(arm, "arm64")]);
    const armOnly = layoutTar([describe(without)], [without, ...arm]);
    await assert.rejects(images.load(stream(armOnly), "arm", quietly()), {
      code: "image_invalid",
      message: /no image for linux\/amd64, only linux\/arm64$/,
    });
  });
});

test("an image of another machine is refused by its config as well", async () => {
  await withStore(async ({ images, directory }) => {
    const archive = imageArchive({ ...image, architecture: "s390x" });
    await assert.rejects(images.load(stream(archive), undefined, quietly()), {
      message: /only linux\/s390x/,
    });
    await images.collect();
    assert.deepEqual(storedFiles(directory), nothing);
  });
});

test("a docker-archive gives the same image however often it is loaded", async () => {
  await withStore(async ({ images, directory }) => {
    const [, configBlob] = imageBlobs(image);
    assert.ok(configBlob !== undefined);
    const archive = makeTar([
      {
        name: "manifest.json",
        content: JSON.stringify([
          { Config: "c.json", RepoTags: ["hello:9"], Layers: ["a/layer.tar", "b/layer.tar"] },
        ]),
      },
      { name: "c.json", content: configBlob.bytes },
      { name: "b/layer.tar", content: upper },
      // As docker save writes a layer that another image has too.
      { name: "a/layer.tar", type: "2", link: "../shared.tar" },
      { name: "shared.tar", content: lower },
    ]);
    const [first] = await images.load(stream(archive), undefined, quietly());
    const [again] = await images.load(stream(archive), undefined, quietly());
    assert.deepEqual(first?.references, ["hello:9"]);
    assert.equal(first?.digest, again?.digest);
    assert.equal(readRoot(first?.rootPath ?? "", "etc/motd"), "upper");
    assert.deepEqual(storedFiles(directory).scratch, []);
  });
});

test("what skopeo writes is read: oci-archive and docker-archive", async () => {
  const work = mkdtempSync(join(tmpdir(), "uni-skopeo-"));
  try {
    mkdirSync(join(work, "oci"));
    execFileSync("tar", ["-C", join(work, "oci"), "-xf", "-"], { input: imageArchive(image) });
    const copy = (to: string): Buffer => {
      const file = join(work, "archive.tar");
      rmSync(file, { force: true });
      const policy = join(work, "policy.json");
      writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
      execFileSync(
        "skopeo",
        ["--policy", policy, "copy", `oci:${join(work, "oci")}:hello:1`, to.replace("FILE", file)],
        {
          stdio: "pipe",
        },
      );
      return readFileSync(file);
    };
    await withStore(async ({ images }) => {
      const [oci] = await images.load(stream(copy("oci-archive:FILE:fromoci:1")), undefined, quietly());
      assert.deepEqual(oci?.references, ["fromoci:1"]);
      const [docker] = await images.load(
        stream(copy("docker-archive:FILE:fromdocker:1")),
        undefined,
        quietly(),
      );
      assert.deepEqual(docker?.references, ["fromdocker:1"]);
      assert.equal(oci?.rootPath, docker?.rootPath);
      assert.equal(docker?.config.user, "app:app");
    });
  } finally {
    rmSync(work, { recursive: true });
  }
});

test("a given name replaces the archive's, and fits one image only", async () => {
  await withStore(async ({ images }) => {
    const [loaded] = await images.load(stream(imageArchive(image)), "mine", quietly());
    assert.deepEqual(loaded?.references, ["mine:latest"]);
    const two = imageArchive(image, { ...image, name: "hello:2", config: {} });
    await assert.rejects(images.load(stream(two), "mine", quietly()), { code: "invalid_value" });
    const [unnamed] = await images.load(stream(imageArchive({ layers: [lower] })), undefined, quietly());
    assert.deepEqual(unnamed?.references, []);
  });
});

const [manifest, configBlob, firstLayer, secondLayer] = imageBlobs(image);
assert.ok(configBlob !== undefined && firstLayer !== undefined && secondLayer !== undefined);
const changed = { ...firstLayer, bytes: Buffer.from(firstLayer.bytes).fill(0x41, 520, 521) };
const shorter = { ...firstLayer, bytes: firstLayer.bytes.subarray(0, 1024) };
const escaping = makeTar([{ name: "../../etc/cron.d/x", content: "evil" }]);
const throughLink = makeTar([
  { name: "a", type: "2", link: "../../../etc" },
  { name: "a/x", content: "evil" },
]);

const refused: readonly (readonly [what: string, archive: Buffer, code: string])[] = [
  ["no archive", Buffer.from("hello, this is not a tar archive".repeat(100)), "image_invalid"],
  ["an empty archive", Buffer.alloc(0), "image_invalid"],
  ["a cut archive", imageArchive(image).subarray(0, 5000), "image_invalid"],
  ["a tar of something else", lower, "image_invalid"],
  ["a missing layer", layoutTar([describe(manifest)], [manifest, configBlob, firstLayer]), "image_invalid"],
  [
    "a layer that was changed",
    layoutTar([describe(manifest)], [manifest, configBlob, changed, secondLayer]),
    "digest_mismatch",
  ],
  [
    "a layer that is too short",
    layoutTar([describe(manifest)], [manifest, configBlob, shorter, secondLayer]),
    "digest_mismatch",
  ],
  [
    "a manifest of another size",
    layoutTar([{ ...describe(manifest), size: 3 }], [manifest, configBlob, firstLayer, secondLayer]),
    "digest_mismatch",
  ],
  [
    "a diffID that does not fit",
    imageArchive({ ...image, diffIds: [sha256(upper), sha256(upper)] }),
    "digest_mismatch",
  ],
  [
    "a diffID that does not fit a packed layer",
    imageArchive({ ...image, compress: "gzip", diffIds: [sha256(upper), sha256(upper)] }),
    "digest_mismatch",
  ],
  ["too few diffIDs", imageArchive({ ...image, diffIds: [sha256(lower)] }), "image_invalid"],
  ["a config of wrong types", imageArchive({ ...image, config: { Cmd: "sh" } }), "image_invalid"],
  ["a layer that is no tar", imageArchive({ layers: [Buffer.from("x".repeat(600))] }), "image_invalid"],
  ["a layer that leaves its root", imageArchive({ layers: [escaping] }), "image_unsafe"],
  ["a layer that leaves it through a link", imageArchive({ layers: [throughLink] }), "image_unsafe"],
];

for (const [what, archive, code] of refused) {
  test(`${what}: ${code}, and nothing is left after a collection`, async () => {
    await withStore(async ({ images, directory }) => {
      await assert.rejects(images.load(stream(archive), "hello", quietly()), { code });
      assert.deepEqual(storedFiles(directory).scratch, []);
      assert.deepEqual(storedFiles(directory).roots, []);
      assert.deepEqual(await images.list(), []);
      await images.collect();
      assert.deepEqual(storedFiles(directory), nothing);
    });
  });
}

test("a layer that unpacks to far more than it is worth is refused with the limit's name", async () => {
  const bomb = imageArchive({
    layers: [makeTar([{ name: "zeroes", content: Buffer.alloc(4 << 20) }])],
    compress: "zstd",
  });
  await withStore(
    async ({ images, directory }) => {
      await assert.rejects(images.load(stream(bomb), "bomb", quietly()), {
        code: "image_unsafe",
        message: /200 times its compressed size/,
      });
      assert.deepEqual(storedFiles(directory).scratch, []);
    },
    { limits: { ratioFreeBytes: 1 << 20 } },
  );
  await withStore(
    async ({ images }) => {
      await assert.rejects(images.load(stream(bomb), "bomb", quietly()), {
        code: "image_unsafe",
        message: /bytes an image/,
      });
    },
    { limits: { bytes: 2 << 20 } },
  );
});

test("no room: said before writing, with what is needed, and nothing is left", async () => {
  const large = imageArchive({ layers: [makeTar([{ name: "f", content: Buffer.alloc(3 << 20, 1) }])] });
  await withStore(
    async ({ images, directory }) => {
      await assert.rejects(images.load(stream(large), "large", quietly()), {
        code: "no_space",
        message: /4 MiB are needed, 2 MiB are free/,
      });
      await images.collect();
      assert.deepEqual(storedFiles(directory), nothing);
    },
    { freeBytes: async () => 2 << 20 },
  );
});

test("many loads of the same layers at once make one root and one image", async () => {
  await withStore(async ({ images, directory }) => {
    const names = ["a", "b", "c", "d"];
    const loaded = await Promise.all(
      names.map((name) => images.load(stream(imageArchive({ ...image, compress: "gzip" })), name, quietly())),
    );
    assert.equal(new Set(loaded.map(([each]) => each?.digest)).size, 1);
    assert.deepEqual(
      (await images.list())[0]?.references,
      names.map((name) => `${name}:latest`),
    );
    const { blobs, roots, scratch } = storedFiles(directory);
    assert.deepEqual([blobs.length, roots.length, scratch.length], [4, 1, 0]);
  });
});

test("an aborted load ends although its upload hangs, and leaves nothing", async () => {
  await withStore(async ({ images, directory }) => {
    const controller = new AbortController();
    const upload = new PassThrough();
    upload.write(imageArchive(image).subarray(0, 2000));
    const load = images.load(upload, "hello", { signal: controller.signal, onProgress() {} });
    controller.abort(new Error("gone"));
    await assert.rejects(load, { message: "gone" });
    assert.deepEqual(storedFiles(directory), nothing);
  });
});
