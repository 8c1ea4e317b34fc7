/**
 * Whatever the bytes, a parser of this room either gives a result or one of the documented errors, and ends. Mutations
 * of good input reach deeper than random bytes, and a header whose checksum is put right reaches deepest.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { readElf } from "@uni/contract/elf";
import { UniError } from "@uni/contract/errors";
import fc from "fast-check";
import { imageArchive, imageBlobs } from "../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { openArchive } from "./archive.ts";
import { bufferSource } from "./byte-source.ts";
import { baseImages } from "./dockerfile.ts";
import { planImage } from "./erofs-plan.ts";
import { readFileRange } from "./file-content.ts";
import { parseImageConfig } from "./image-config.ts";
import { defaultLimits } from "./limits.ts";
import { Merge } from "./merge.ts";
import { parseDocument } from "./oci.ts";
import { findOciImages } from "./oci-layout.ts";
import { parseReference } from "./reference.ts";
import { readTar } from "./tar-reader.ts";
import { walk } from "./tree.ts";
import { scanZstdFrames } from "./zstd-frames.ts";

const runs = 400;
const limits = { ...defaultLimits, entries: 1000 };

/** Places relative to the length, so that one mutation fits any seed. */
const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 12 }),
    fc
      .constantFrom("../", "/", "\0", ".wh.", "99999999999", "-1", "\n", "5", "x", "S", "g", "K")
      .map((text) => Buffer.from(text)),
  ),
});
const mutations = fc.array(mutation, { minLength: 1, maxLength: 8 });
const cut = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 5 });

function mutate(
  seed: Buffer,
  changes: readonly { at: number; bytes: Uint8Array }[],
  end: number | null,
): Buffer {
  const bytes = Buffer.from(seed);
  for (const change of changes) bytes.set(change.bytes.subarray(0, bytes.length), fitting(bytes, change));
  return end === null ? bytes : bytes.subarray(0, Math.floor(end * bytes.length));
}

const fitting = (bytes: Buffer, change: { at: number; bytes: Uint8Array }): number =>
  Math.max(0, Math.min(Math.floor(change.at * bytes.length), bytes.length - change.bytes.length));

function repairChecksums(tar: Buffer): void {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    const block = tar.subarray(at, at + 512);
    if (block.toString("latin1", 257, 262) !== "ustar") continue;
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
}

/** The documented errors of a bad image; anything else is a bug. */
async function survives(work: () => Promise<unknown> | unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof UniError && ["image_invalid", "image_unsafe", "invalid_value"].includes(error.code))
      return;
    throw error;
  }
}

const seedTar = makeTar([
  { name: "./" },
  { name: "g", type: "g", content: "18 comment=hello\n\n" },
  { name: "etc/passwd", content: "root:x:0:0\n".repeat(60), uid: 4_000_000_000 },
  { name: "l", type: "2", link: "../etc" },
  { name: "h", type: "1", link: "etc/passwd" },
  { name: "dev/null", type: "3", device: [1, 3] },
  { name: "etc/.wh.passwd" },
  { name: "etc/.wh..wh..opq" },
  { name: "x", gnuName: `${"long/".repeat(40)}name`, gnuLink: "target", content: "abc" },
  {
    name: "y",
    pax: { path: "pax/name", mtime: "12.5", "SCHILY.xattr.user.a": "b", size: "3" },
    content: "abc",
  },
  { name: "s1", content: "data", pax: { "GNU.sparse.size": "10000", "GNU.sparse.map": "5000,2,8000,2" } },
  {
    name: "s2",
    content: Buffer.concat([Buffer.from("1\n4096\n5\n".padEnd(512, "\0")), Buffer.from("hello")]),
    pax: {
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.name": "real",
      "GNU.sparse.realsize": "9000",
    },
  },
]);

test("layers: reader, merge, plan and contents", async () => {
  await fc.assert(
    fc.asyncProperty(mutations, cut, fc.boolean(), async (changes, end, repair) => {
      const tar = mutate(seedTar, changes, end);
      if (repair) repairChecksums(tar);
      await survives(async () => {
        const merge = new Merge({ whiteouts: true, limits });
        const source = bufferSource(tar);
        await merge.add(readTar(bufferSource(seedTar), limits));
        await merge.add(readTar(source, limits));
        planImage(merge.root);
        for (const node of walk(merge.root)) {
          if (node.kind !== "file" || node.layer !== 1 || node.size > 1 << 20) continue;
          assert.equal((await readFileRange(source, node, 0, node.size)).length, node.size);
        }
      });
    }),
    { numRuns: runs },
  );
});

test("archives: index and blobs", async () => {
  const seed = imageArchive({ layers: [makeTar([{ name: "f" }])], name: "a:1" });
  await fc.assert(
    fc.asyncProperty(mutations, cut, async (changes, end) => {
      const tar = mutate(seed, changes, end);
      repairChecksums(tar);
      await survives(async () => {
        const archive = await openArchive(bufferSource(tar), limits);
        await findOciImages(archive, "amd64");
      });
    }),
    { numRuns: runs },
  );
});

const json = fc.jsonValue({ maxDepth: 4 });
const odd = fc.oneof(json, fc.constantFrom(null, {}, [], "sha256:", -1, 1e300, [null], { "": "" }));

test("manifests, indexes and configs: any JSON in any member", async () => {
  const [manifest, config] = imageBlobs({ layers: [makeTar([])], config: { Cmd: ["a"], Env: ["A=b"] } });
  assert.ok(config !== undefined);
  const documents = [manifest, config].map(
    ({ bytes }) => JSON.parse(bytes.toString()) as Record<string, unknown>,
  );
  const members = ["config", "layers", "manifests", "rootfs", "architecture", "os", "created", "fsLayers"];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...documents),
      fc.constantFrom(...members),
      odd,
      async (base, name, value) => {
        const bytes = Buffer.from(JSON.stringify({ ...base, [name]: value }));
        await survives(() => parseDocument(bytes, "a document"));
        await survives(() => parseImageConfig(bytes, "a config"));
      },
    ),
    { numRuns: runs },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await survives(() => parseDocument(bytes, "a document"));
      await survives(() => parseImageConfig(bytes, "a config"));
    }),
    { numRuns: runs },
  );
});

/** A little dynamic program: header, three segments, dynamic table, strings. */
function smallElf(): Buffer {
  const elf = Buffer.alloc(600);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf.writeUInt16LE(3, 16);
  elf.writeUInt16LE(62, 18);
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(3, 56);
  for (const [index, [type, offset, size]] of [
    [1, 0, 600],
    [3, 300, 20],
    [2, 400, 64],
  ].entries()) {
    const at = 64 + index * 56;
    elf.writeUInt32LE(type ?? 0, at);
    elf.writeBigUInt64LE(BigInt(offset ?? 0), at + 8);
    elf.writeBigUInt64LE(BigInt(offset ?? 0), at + 16);
    elf.writeBigUInt64LE(BigInt(size ?? 0), at + 32);
  }
  elf.write("/lib/ld.so\0", 300);
  for (const [index, [tag, value]] of [
    [1, 1],
    [29, 9],
    [5, 500],
    [0, 0],
  ].entries()) {
    elf.writeBigUInt64LE(BigInt(tag ?? 0), 400 + index * 16);
    elf.writeBigUInt64LE(BigInt(value ?? 0), 408 + index * 16);
  }
  elf.write("\0libc.so\0/opt\0", 500);
  return elf;
}

test("programs", async () => {
  assert.deepEqual(await readElf(bufferSource(smallElf())), {
    machine: "amd64",
    executable: true,
    interpreter: "/lib/ld.so",
    libraries: ["libc.so"],
    rpaths: [],
    runPaths: ["/opt"],
  });
  await fc.assert(
    fc.asyncProperty(mutations, cut, (changes, end) =>
      survives(() => readElf(bufferSource(mutate(smallElf(), changes, end)))),
    ),
    { numRuns: runs * 2 },
  );
});

test("zstd frames", async () => {
  const seed = Buffer.concat([zstdCompressSync("hello ".repeat(100)), zstdCompressSync("world")]);
  await fc.assert(
    fc.asyncProperty(mutations, cut, (changes, end) =>
      survives(async () => {
        const bytes = mutate(seed, changes, end);
        let last = 0;
        for await (const frame of scanZstdFrames(bufferSource(bytes))) {
          assert.ok(frame.start >= last && frame.end > frame.start && frame.end <= bytes.length);
          last = frame.end;
        }
      }),
    ),
    { numRuns: runs },
  );
});

test("names and Dockerfiles: any text", async () => {
  const words = fc.constantFrom(
    "FROM ",
    "ARG A=",
    "$A",
    "COPY --from=",
    "\n",
    "\\\n",
    "a/b:c",
    "@sha256:",
    " AS x",
  );
  const text = fc
    .array(fc.oneof(words, fc.string({ unit: "binary", maxLength: 10 })))
    .map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(text, async (given) => {
      await survives(() => parseReference(given));
      baseImages(given, { A: "x" });
    }),
    { numRuns: runs },
  );
});
