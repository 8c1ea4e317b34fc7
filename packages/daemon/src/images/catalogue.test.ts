import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "@uni/contract/ids";
import { createImageCatalogue } from "../store/images.ts";
import { openDatabase } from "../store/open.ts";
import type { Catalogue } from "./catalogue.ts";

async function withCatalogue(body: (catalogue: Catalogue) => Promise<void>): Promise<void> {
  const db = await openDatabase(":memory:");
  try {
    await body(createImageCatalogue(db));
  } finally {
    await db.destroy();
  }
}

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;
const row = (letter: string, createdAt = 1) => ({
  digest: digest(letter),
  createdAt,
  sizeBytes: 5_000_000_000,
  root: "key",
  config: '{"cmd":["a"]}',
  blobs: [digest(letter), digest("f")],
  missing: ["libx.so"],
});

test("a row comes back as it was put, its references sorted, oldest first", async () => {
  await withCatalogue(async (catalogue) => {
    await catalogue.put(row("b", 2), ["z:1", "a:1"]);
    await catalogue.put(row("c", 1), []);
    assert.deepEqual(await catalogue.list(), [
      { ...row("c", 1), references: [] },
      { ...row("b", 2), references: ["a:1", "z:1"] },
    ]);
  });
});

test("putting an image again keeps it and adds names; a name points at one image only", async () => {
  await withCatalogue(async (catalogue) => {
    await catalogue.put(row("a", 1), ["web:1", "web:2"]);
    await catalogue.put({ ...row("a", 9), sizeBytes: 1 }, ["web:3"]);
    await catalogue.put(row("b", 2), ["web:2"]);
    assert.deepEqual(
      (await catalogue.list()).map(({ createdAt, sizeBytes, references }) => [
        createdAt,
        sizeBytes,
        references,
      ]),
      [
        [1, 5_000_000_000, ["web:1", "web:3"]],
        [2, 5_000_000_000, ["web:2"]],
      ],
    );
  });
});

test("a removed name leaves the image, a removed image takes its names", async () => {
  await withCatalogue(async (catalogue) => {
    await catalogue.put(row("a"), ["web:1", "web:2"]);
    await catalogue.removeReference("web:1");
    await catalogue.removeReference("never:1");
    assert.deepEqual((await catalogue.list())[0]?.references, ["web:2"]);
    await catalogue.delete(digest("a"));
    assert.deepEqual(await catalogue.list(), []);
    await catalogue.put(row("a"), []);
    assert.deepEqual((await catalogue.list())[0]?.references, []);
  });
});

test("a name may mean a document that leads to the image", async () => {
  await withCatalogue(async (catalogue) => {
    await catalogue.put(row("a"), ["web:1"], [digest("e")]);
    await catalogue.put(row("b"), ["web:2"]);
    assert.deepEqual(await catalogue.references(), [
      { reference: "web:1", target: digest("e"), digest: digest("a") },
      { reference: "web:2", target: digest("b"), digest: digest("b") },
    ]);
    await catalogue.put(row("b"), ["web:1"]);
    assert.deepEqual((await catalogue.references())[0], {
      reference: "web:1",
      target: digest("b"),
      digest: digest("b"),
    });
  });
});
