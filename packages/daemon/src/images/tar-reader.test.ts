import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeTar, type TarMember } from "../../../../test/kit/tar-writer.ts";
import { bufferSource } from "./byte-source.ts";
import { readFileRange } from "./file-content.ts";
import { defaultLimits } from "./limits.ts";
import { Merge } from "./merge.ts";
import { lookUp } from "./missing-libraries.ts";
import type { TarEntry } from "./tar-entry.ts";
import { readTar } from "./tar-reader.ts";

const read = (bytes: Buffer): Promise<TarEntry[]> => collect(readTar(bufferSource(bytes)));

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function readOne(member: TarMember): Promise<TarEntry> {
  const [entry, ...others] = await read(makeTar([member]));
  assert.ok(entry !== undefined && others.length === 0);
  return entry;
}

const longPath = `${"d".repeat(120)}/${"e".repeat(200)}`;

test("a long name comes from a GNU member, a PAX header or the ustar prefix", async () => {
  assert.equal((await readOne({ name: "short", gnuName: longPath })).name, longPath);
  assert.equal((await readOne({ name: "short", pax: { path: longPath } })).name, longPath);
  const prefixed = await readOne({ name: "file", patch: (block) => block.write("some/prefix", 345) });
  assert.equal(prefixed.name, "some/prefix/file");
});

test("a long link target comes from a GNU member or a PAX header", async () => {
  const link = { name: "l", type: "2", link: "short" };
  assert.equal((await readOne({ ...link, gnuLink: longPath })).linkName, longPath);
  assert.equal((await readOne({ ...link, pax: { linkpath: longPath } })).linkName, longPath);
});

test("a name that is not UTF-8 keeps its bytes", async () => {
  const name = Buffer.from([0x61, 0xff, 0xfe, 0x62]);
  assert.deepEqual(Buffer.from((await readOne({ name })).name, "latin1"), name);
  const byPax = await readOne({ name: "x", pax: { path: name } });
  assert.deepEqual(Buffer.from(byPax.name, "latin1"), name);
});

test("large owners, times before 1970 and fractions of a second are read", async () => {
  const large = await readOne({ name: "f", uid: 4_000_000_000, gid: 70_000, mtime: -5 });
  assert.deepEqual([large.uid, large.gid, large.mtime.seconds], [4_000_000_000, 70_000, -5]);
  const pax = await readOne({ name: "f", pax: { uid: "3000000000", gid: "5", mtime: "-1.25" } });
  assert.deepEqual([pax.uid, pax.gid], [3_000_000_000, 5]);
  assert.deepEqual(pax.mtime, { seconds: -2, nanoseconds: 750_000_000 });
});

test("extended attributes are bytes", async () => {
  const value = Buffer.from([1, 0, 0, 2, 0x0a, 0xff]);
  const entry = await readOne({ name: "f", pax: { "SCHILY.xattr.security.capability": value } });
  assert.deepEqual(entry.xattrs.get("security.capability"), value);
});

test("a global PAX header holds for all that follow, a local one goes before it", async () => {
  const global = { name: "g", type: "g", content: "9 uid=77\n9 gid=88\n" };
  const entries = await read(
    makeTar([global, { name: "a" }, { name: "b", pax: { uid: "5" } }, { name: "c" }]),
  );
  assert.deepEqual(
    entries.map(({ uid, gid }) => [uid, gid]),
    [
      [77, 88],
      [5, 88],
      [77, 88],
    ],
  );
});

test("the size in a PAX header counts, the one in the header does not", async () => {
  const entries = await read(
    makeTar([{ name: "f", content: "12345", size: 0, pax: { size: "5" } }, { name: "next" }]),
  );
  assert.deepEqual(
    entries.map(({ name, size }) => [name, size]),
    [
      ["f", 5],
      ["next", 0],
    ],
  );
});

test("old tars: a file whose name ends in a slash is a directory", async () => {
  assert.equal((await readOne({ name: "dir/", type: "0" })).type, "directory");
});

for (const format of ["gnu", "0.0", "0.1", "1.0"]) {
  test(`a sparse file written by GNU tar (${format}) keeps its bytes and its holes`, async () => {
    const directory = mkdtempSync(join(tmpdir(), "uni-sparse-"));
    try {
      const content = Buffer.alloc(3_000_000);
      for (let at = 0; at < 30; at++) content.write(`piece ${at}`, at * 100_000 + 4096);
      writeFileSync(join(directory, "plain"), content);
      execFileSync("cp", ["--sparse=always", join(directory, "plain"), join(directory, "holes")]);
      const how = format === "gnu" ? ["--format=gnu"] : ["--format=posix", `--sparse-version=${format}`];
      execFileSync("tar", [
        ...how,
        "--sparse",
        "-C",
        directory,
        "-cf",
        join(directory, "t.tar"),
        "holes",
        "plain",
      ]);
      const source = bufferSource(readFileSync(join(directory, "t.tar")));
      const [holes, plain] = await collect(readTar(source));
      assert.equal(holes?.name, "holes");
      assert.equal(plain?.name, "plain");
      const stored = holes.extents.reduce((sum, { length }) => sum + length, 0);
      assert.ok(stored < content.length / 2, `${stored} bytes are stored`);
      const merge = new Merge({ whiteouts: true });
      await merge.add(readTar(source));
      const node = lookUp(merge.root, "holes");
      assert.ok(node?.kind === "file");
      assert.deepEqual(await readFileRange(source, node, 0, node.size), content);
      assert.deepEqual(await readFileRange(source, node, 99_000, 7000), content.subarray(99_000, 106_000));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}

const invalid: readonly (readonly [what: string, bytes: Buffer])[] = [
  ["a wrong checksum", makeTar([{ name: "f" }]).fill("z", 0, 1)],
  ["an end inside a header", makeTar([{ name: "f" }]).subarray(0, 300)],
  ["an end inside a file", makeTar([{ name: "f", content: "x".repeat(2000) }]).subarray(0, 1024)],
  ["a size that is not octal", makeTar([{ name: "f", patch: (block) => block.write("9x", 124) }])],
  ["a negative size", makeTar([{ name: "f", patch: (block) => block.fill(0xff, 124, 136) }])],
  [
    "a PAX record with a wrong length",
    makeTar([{ name: "x", type: "x", content: "99 a=b\n" }, { name: "f" }]),
  ],
  ["a PAX size that is no number", makeTar([{ name: "f", pax: { size: "-1" } }])],
  ["a PAX path with a NUL", makeTar([{ name: "f", pax: { path: "a\0b" } }])],
  ["an unknown type", makeTar([{ name: "f", type: "Q" }])],
  [
    "a sparse map that leaves the file",
    makeTar([{ name: "f", content: "abc", pax: { "GNU.sparse.size": "2", "GNU.sparse.map": "0,3" } }]),
  ],
  [
    "a sparse map that goes backwards",
    makeTar([{ name: "f", content: "abcd", pax: { "GNU.sparse.size": "9", "GNU.sparse.map": "4,2,0,2" } }]),
  ],
  [
    "a sparse map that claims more than is stored",
    makeTar([{ name: "f", content: "ab", pax: { "GNU.sparse.size": "9", "GNU.sparse.map": "0,9" } }]),
  ],
];

for (const [what, bytes] of invalid) {
  test(`${what} is refused`, async () => {
    await assert.rejects(read(bytes), { code: "image_invalid" });
  });
}

test("bounds are named: path length, header size, file size, number of headers", async () => {
  const refuse = (bytes: Buffer, name: RegExp, limits = defaultLimits) =>
    assert.rejects(collect(readTar(bufferSource(bytes), limits)), { code: "image_unsafe", message: name });
  await refuse(makeTar([{ name: "f", pax: { path: "a/".repeat(3000) } }]), /4096 bytes a path/);
  await refuse(makeTar([{ name: "x", type: "x", size: 2 ** 30 }]), /bytes a header/);
  const huge = makeTar([{ name: "f", pax: { "GNU.sparse.size": String(2 ** 41), "GNU.sparse.map": "" } }]);
  await refuse(huge, /bytes a file/);
  const many = makeTar(Array.from({ length: 9 }, (_, index) => ({ name: `f${index}` })));
  await refuse(many, /8 headers/, { ...defaultLimits, entries: 2 });
});
