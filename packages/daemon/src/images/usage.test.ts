import assert from "node:assert/strict";
import { test } from "node:test";
import { imageArchive } from "../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { quietly, stream, withStore } from "./test-room.ts";

const unused = (): string[] => [];
const common = makeTar([{ name: "common", content: Buffer.alloc(100_000, 1) }]);
const own = (name: string) => makeTar([{ name, content: Buffer.alloc(50_000, 2) }]);

test("what images share is counted, and what a prune would free is what a prune frees", async () => {
  await withStore(async ({ images }) => {
    const load = async (name: string): Promise<string> => {
      const archive = imageArchive({ layers: [common, own(name)], config: { Cmd: [name] } });
      return (await images.load(stream(archive), "web", quietly()))[0]?.digest ?? "";
    };
    const first = await load("one");
    const alone = await images.usage(unused);
    assert.deepEqual([alone.roots.count, alone.blobs.count, alone.blobs.sharedBytes], [1, 4, 0]);
    assert.deepEqual([alone.roots.reclaimableBytes, alone.blobs.reclaimableBytes], [0, 0]);
    await load("two");
    const both = await images.usage(unused);
    assert.deepEqual([both.roots.count, both.blobs.count], [2, 7]);
    assert.ok(both.blobs.sharedBytes >= common.length);
    assert.ok(both.roots.reclaimableBytes > 150_000 && both.blobs.reclaimableBytes > 50_000);
    assert.ok(both.blobs.reclaimableBytes < common.length);
    const used = await images.usage((digest) => (digest === first ? ["web"] : []));
    assert.deepEqual([used.roots.reclaimableBytes, used.blobs.reclaimableBytes], [0, 0]);
    const freed = await images.collect({ inUse: unused });
    assert.equal(freed, both.roots.reclaimableBytes + both.blobs.reclaimableBytes);
    assert.equal((await images.usage(unused)).roots.reclaimableBytes, 0);
  });
});

test("names are found by a part of them, the best first, with their tags and what an image says of itself", async () => {
  await withStore(async ({ images }) => {
    const config = { Labels: { "org.opencontainers.image.description": "serves pages" } };
    const archive = imageArchive({ layers: [own("x")], config });
    await images.load(stream(archive), "team/web:1", quietly());
    for (const name of ["web:1", "web:2", "webster:1", "cobweb:1", "db:1"])
      await images.tag("team/web:1", name);
    const found = await images.search("WEB");
    assert.deepEqual(
      found.map(({ name }) => name),
      ["web", "team/web", "webster", "cobweb"],
    );
    assert.deepEqual(found[0], { name: "web", tags: ["1", "2"], tag_count: 2, description: "serves pages" });
    assert.deepEqual(await images.search("nothing"), []);
  });
});
