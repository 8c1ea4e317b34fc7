import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LogStore } from "./log-store.ts";

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-log-"));
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const text = async (store: LogStore, offset: number, limit: number) =>
  (await store.read(offset, limit)).bytes.toString();

test("reads by offset, from the end, and clamps to what is held", async () => {
  await withDirectory(async (directory) => {
    const store = await LogStore.open(directory);
    await store.append("stdout", 1, Buffer.from("hello "));
    await store.append("stderr", 2, Buffer.from("world"));
    assert.equal(await text(store, 0, 100), "hello world");
    assert.equal(await text(store, -5, 3), "wor");
    assert.deepEqual(await store.read(50, 10), { bytes: Buffer.alloc(0), start: 11, end: 11 });
    assert.deepEqual(
      store.pieces(6).map((piece) => [piece.stream, piece.offset]),
      [["stderr", 6]],
    );
    await store.close();
  });
});

test("offsets survive the dropping of old segments and a reopen", async () => {
  await withDirectory(async (directory) => {
    const limits = { segmentBytes: 10, totalBytes: 25 };
    const store = await LogStore.open(directory, limits);
    for (let i = 0; i < 10; i++) await store.append("stdout", i, Buffer.from(`line${i}`), (i + 1) * 5);
    assert.equal(store.end, 50);
    assert.equal(store.start, 30);
    await store.close();
    const again = await LogStore.open(directory, limits);
    assert.deepEqual([again.start, again.end, again.guestOffset], [30, 50, 50]);
    assert.equal(await text(again, 0, 5), "line6");
    await again.append("stdout", 10, Buffer.from("next!"));
    assert.equal(await text(again, -5, 5), "next!");
    assert.ok(readdirSync(directory).length <= 6);
    await again.close();
  });
});

test("bytes without their record, and half a record, are cut off after a crash", async () => {
  await withDirectory(async (directory) => {
    const store = await LogStore.open(directory);
    await store.append("stdout", 1, Buffer.from("kept"), 4);
    await store.close();
    appendFileSync(join(directory, "0.data"), "lost");
    appendFileSync(join(directory, "0.index"), Buffer.alloc(7));
    const again = await LogStore.open(directory);
    assert.deepEqual([again.end, again.guestOffset], [4, 4]);
    await again.append("stderr", 2, Buffer.from("more"), 8);
    assert.equal(await text(again, 0, 100), "keptmore");
    await again.close();
    const third = await LogStore.open(directory);
    assert.deepEqual([third.end, third.guestOffset], [8, 8]);
    await third.close();
  });
});

test("appends side by side keep their order", async () => {
  await withDirectory(async (directory) => {
    const store = await LogStore.open(directory, { segmentBytes: 7, totalBytes: 1000 });
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.append("stdout", i, Buffer.from(`${i},`))));
    assert.equal(await text(store, 0, 1000), Array.from({ length: 50 }, (_, i) => `${i},`).join(""));
    await store.close();
  });
});
