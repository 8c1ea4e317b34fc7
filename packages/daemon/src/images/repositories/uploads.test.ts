/** What becomes of uploads when something goes wrong. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { until } from "../../../../../test/kit/until.ts";
import { systemClock } from "../../base/clock.ts";
import { digestOf } from "../digest.ts";
import { createImages } from "../images.ts";
import { storedFiles, withStore } from "../test-room.ts";
import { ownerOf, pushBlob, whole } from "./test-pushes.ts";

const owner = ownerOf("team/web");
const content = Buffer.alloc(3 << 20, "some content ");
const digest = digestOf(content);
const half = content.subarray(0, 2 << 20);

const uploadsOf = (directory: string): string[] =>
  readdirSync(join(directory, "uploads"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.includes("/"),
  );
const refusedAs = (code: string) => (error: UniError) => error.code === code;

test("what arrived before a connection was cut is kept, and the upload goes on behind it, also in the next daemon's life", async () => {
  await withStore(async ({ images, options, directory }) => {
    const id = await images.repositories.begin(owner);
    const stream = new PassThrough();
    stream.write(half);
    const failed = assert.rejects(images.repositories.append(owner, id, stream, whole), /gone/);
    await until("the bytes are in the file", () => {
      const [file = ""] = uploadsOf(directory);
      return statSync(join(directory, "uploads", file)).size >= 1 << 20;
    });
    stream.destroy(new Error("the client is gone"));
    await failed;
    assert.equal(await images.repositories.uploadSize(owner, id), half.length);
    const next = await createImages(options);
    assert.equal(await next.repositories.blob(owner.repository, digest), undefined);
    const rest = Readable.from([content.subarray(half.length)]);
    await next.repositories.append(owner, id, rest, { at: half.length, length: undefined });
    await next.repositories.finish(owner, id, digest);
    assert.equal((await next.repositories.blob(owner.repository, digest))?.size, content.length);
    assert.deepEqual(uploadsOf(directory), []);
    await next.close();
  });
});

test("a daemon that is killed between the row of a blob and its file shows no blob, and the upload can be finished", async () => {
  await withStore(async ({ images, options }) => {
    const putBlob: typeof options.repositories.putBlob = async (...row) => {
      await options.repositories.putBlob(...row);
      throw new Error("killed");
    };
    const dying = await createImages({ ...options, repositories: { ...options.repositories, putBlob } });
    const id = await dying.repositories.begin(owner);
    await dying.repositories.append(owner, id, Readable.from([content]), whole);
    await assert.rejects(dying.repositories.finish(owner, id, digest), /killed/);
    await dying.close();
    assert.equal(await images.repositories.blob(owner.repository, digest), undefined);
    await images.collect();
    await images.repositories.finish(owner, id, digest);
    assert.equal((await images.repositories.blob(owner.repository, digest))?.size, content.length);
  });
});

test("who comes later takes an upload over: the connection before it is cut, and its bytes count", async () => {
  await withStore(async ({ images }) => {
    const id = await images.repositories.begin(owner);
    const first = new PassThrough();
    first.write(half);
    const cut = assert.rejects(images.repositories.append(owner, id, first, whole), /another request/);
    await until("the first has the upload", () => first.readableLength === 0);
    const nothing = Readable.from([]);
    const { size } = await images.repositories.append(owner, id, nothing, whole);
    await cut;
    assert.equal(size, half.length);
  });
});

test("without room an upload is refused before its first byte, and what was there stays", async () => {
  let free = 1 << 30;
  await withStore(
    async ({ images, directory }) => {
      const id = await images.repositories.begin(owner);
      free = 100;
      const chunk = { at: undefined, length: content.length };
      await assert.rejects(
        images.repositories.append(owner, id, Readable.from([content]), chunk),
        refusedAs("no_space"),
      );
      assert.equal(await images.repositories.uploadSize(owner, id), 0);
      assert.deepEqual(storedFiles(directory).blobs, []);
    },
    { freeBytes: async () => free },
  );
});

test("a blob that is longer than any may be is refused", async () => {
  await withStore(
    async ({ images, directory }) => {
      const id = await images.repositories.begin(owner);
      const append = images.repositories.append(owner, id, Readable.from([content]), whole);
      await assert.rejects(append, refusedAs("image_unsafe"));
      assert.deepEqual(uploadsOf(directory), []);
    },
    { limits: { bytes: 1 << 20 } },
  );
});

test("an upload that nobody touched for a day goes, others stay", async () => {
  await withStore(async ({ images, directory }) => {
    const old = await images.repositories.begin(owner);
    const young = await images.repositories.begin(owner);
    const file = uploadsOf(directory).find((name) => name.includes(old)) ?? "";
    const then = systemClock.now() / 1000 - 86_401;
    utimesSync(join(directory, "uploads", file), then, then);
    await images.collect();
    await assert.rejects(images.repositories.uploadSize(owner, old), refusedAs("not_found"));
    assert.equal(await images.repositories.uploadSize(owner, young), 0);
  });
});

test("an account has at most a thousand uploads at a time, and others have their own", async () => {
  await withStore(async ({ images, directory }) => {
    await images.repositories.begin(owner);
    for (let n = 1; n < 1_000; n++) mkdirSync(join(directory, "uploads", owner.account, `x${n}`));
    await assert.rejects(images.repositories.begin(owner), refusedAs("quota_exceeded"));
    const other = { ...owner, account: "22222222-2222-4222-8222-222222222222" as typeof owner.account };
    await images.repositories.begin(other);
  });
});

test("a blob that is there already is kept once, and stays readable for who has it open, whatever is removed", async () => {
  await withStore(async ({ images, directory }) => {
    await pushBlob(images.repositories, "a", content);
    await pushBlob(images.repositories, "b", content);
    assert.equal(storedFiles(directory).blobs.length, 1);
    const blob = await images.repositories.blob("a", digest);
    const reading = await blob?.open(0, content.length);
    for (const repository of ["a", "b"]) await images.repositories.removeBlob(repository, digest);
    await images.collect();
    assert.deepEqual(storedFiles(directory).blobs, []);
    const chunks: Buffer[] = [];
    for await (const chunk of reading ?? []) chunks.push(chunk as Buffer);
    assert.equal(digestOf(Buffer.concat(chunks)), digest);
  });
});
