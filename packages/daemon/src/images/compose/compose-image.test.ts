/** Images of parts: what lies where, and whose config holds. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { imageArchive } from "../../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../../test/kit/tar-writer.ts";
import type { BuildRequest, Image, Images } from "../port.ts";
import { quietly, storedFiles, stream, withStore } from "../test-room.ts";

const root = (members: Readonly<Record<string, string>>): Buffer =>
  makeTar(Object.entries(members).map(([name, content]) => ({ name, content })));

async function loadRuntime(images: Images, docker = false): Promise<Image | undefined> {
  const archive = imageArchive({
    layers: [root({ "usr/bin/run": "interpreter", "etc/who": "runtime" })],
    compress: "gzip",
    docker,
    config: {
      Entrypoint: ["/usr/bin/run"],
      Env: ["PATH=/usr/bin", "MODE=base"],
      Labels: { below: "1" },
      User: "7",
      Healthcheck: { Test: ["NONE"] },
    },
  });
  const [image] = await images.load(stream(archive), "runtime:1", quietly());
  return image;
}

const build = (images: Images, tar: Buffer, request: Partial<BuildRequest>): Promise<Image> =>
  images.build(
    stream(tar),
    { reference: "app", source: { kind: "root" }, changes: {}, ...request },
    quietly(),
  );

function filesOf(image: Image): Record<string, string> {
  const directory = mkdtempSync(join(tmpdir(), "uni-root-"));
  try {
    execFileSync("fsck.erofs", [`--extract=${join(directory, "x")}`, image.rootPath], { stdio: "pipe" });
    const names = readdirSync(join(directory, "x"), { recursive: true, withFileTypes: true });
    const files = names.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
    return Object.fromEntries(
      files.map((path) => [path.slice(directory.length + 2), readFileSync(path, "utf8")]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const docker of [false, true]) {
  test(`a root on a runtime${docker ? " in Docker's format" : ""}: files of both, the upper ones win`, async () => {
    await withStore(async ({ images, directory }) => {
      await loadRuntime(images, docker);
      const image = await build(images, root({ "app/main": "program", "etc/who": "app" }), {
        base: "runtime:1",
        changes: { cmd: ["/app/main"], env: { MODE: "mine", MORE: "1" } },
      });
      assert.deepEqual(filesOf(image), {
        "/app/main": "program",
        "/etc/who": "app",
        "/usr/bin/run": "interpreter",
      });
      const { entrypoint, cmd, env, labels, user } = image.config;
      assert.deepEqual(
        [entrypoint, cmd, labels, user],
        [["/usr/bin/run"], ["/app/main"], { below: "1" }, "7"],
      );
      assert.deepEqual(env, { PATH: "/usr/bin", MODE: "mine", MORE: "1" });
      assert.deepEqual(storedFiles(directory).scratch, []);
    });
  });
}

test("an image as the root: changed in its config alone, and its files are kept once", async () => {
  await withStore(async ({ images, directory }) => {
    const runtime = await loadRuntime(images);
    const source = { kind: "image", image: "runtime:1" } as const;
    const same = await build(images, Buffer.alloc(0), { source, reference: "same" });
    assert.equal(same.digest, runtime?.digest);
    const changes = { entrypoint: [], cmd: ["/usr/bin/run", "x"], labels: { mine: "2" } };
    const changed = await build(images, Buffer.alloc(0), { source, reference: "changed", changes });
    assert.deepEqual([changed.config.entrypoint, changed.config.cmd], [[], ["/usr/bin/run", "x"]]);
    assert.deepEqual(changed.config.labels, { mine: "2" });
    assert.equal(changed.rootPath, runtime?.rootPath);
    assert.equal(storedFiles(directory).roots.length, 1);
  });
});

test("a new entry point does not get the arguments of the old one", async () => {
  await withStore(async ({ images }) => {
    const archive = imageArchive({
      layers: [root({ a: "x" })],
      config: { Entrypoint: ["/a"], Cmd: ["old"] },
    });
    await images.load(stream(archive), "old", quietly());
    const source = { kind: "image", image: "old" } as const;
    const image = await build(images, Buffer.alloc(0), { source, changes: { entrypoint: ["/b"] } });
    assert.deepEqual([image.config.entrypoint, image.config.cmd], [["/b"], []]);
  });
});

test("what the config says beside that stays", async () => {
  await withStore(async ({ images, directory }) => {
    await loadRuntime(images);
    const image = await build(images, root({ x: "y" }), { base: "runtime:1", changes: { user: "8" } });
    const blobs = join(directory, "blobs/sha256");
    const manifest = JSON.parse(readFileSync(join(blobs, image.digest.slice(7)), "utf8"));
    const config = JSON.parse(readFileSync(join(blobs, manifest.config.digest.slice(7)), "utf8"));
    assert.deepEqual(config.config.Healthcheck, { Test: ["NONE"] });
    assert.deepEqual(
      manifest.layers.map(({ mediaType }: { mediaType: string }) => mediaType),
      ["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar"],
    );
  });
});

test("a base or an image that is not there is named, and nothing is left", async () => {
  await withStore(async ({ images, directory }) => {
    const name = "127.0.0.1:1/python:3.12";
    const rejected = {
      code: "unreachable",
      message: /take "127\.0\.0\.1:1\/python:3\.12" as/,
      hint: /base-compat/,
    };
    await assert.rejects(build(images, root({ x: "y" }), { base: name }), rejected);
    const source = { kind: "image", image: name } as const;
    await assert.rejects(build(images, Buffer.alloc(0), { source }), rejected);
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  });
});
