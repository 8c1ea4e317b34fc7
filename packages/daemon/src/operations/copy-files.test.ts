import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import fc from "fast-check";
import * as tar from "tar-stream";
import type { FileEntry, GuestChannel } from "../guest/port.ts";
import { copyIn, copyOut } from "./copy-files.ts";

const plain = { mode: 0o640, uid: 7, gid: 8, mtimeMs: 5_000 };
const fileOf = (path: string, size: number): FileEntry => ({ ...plain, path, type: "file", size });

interface Sent {
  readonly entry: FileEntry;
  readonly content: Readable;
}

/** A guest that gives these entries, and tells when its reader left. */
function givingGuest(entries: () => AsyncIterable<Sent>): { channel: GuestChannel; left: Promise<void> } {
  const left = Promise.withResolvers<void>();
  const reader = {
    async *entries() {
      try {
        yield* entries();
      } finally {
        left.resolve();
      }
    },
  };
  return { channel: { readFiles: async () => reader } as unknown as GuestChannel, left: left.promise };
}

async function* listed(items: readonly [FileEntry, Buffer][]): AsyncGenerator<Sent> {
  for (const [entry, bytes] of items)
    yield { entry, content: Readable.from(bytes.length === 0 ? [] : [bytes]) };
}

interface Taking {
  readonly channel: GuestChannel;
  readonly taken: { readonly entry: FileEntry; readonly bytes: Buffer }[];
  readonly ends: string[];
}

/** A guest that takes files; `failAt` names an entry that it refuses. */
function takingGuest(failAt?: string): Taking {
  const taken: Taking["taken"] = [];
  const ends: string[] = [];
  const writer = {
    async write(entry: FileEntry, content: Readable | undefined) {
      if (entry.path === failAt) throw new UniError("guest_failed", `write ${entry.path}: read-only`);
      taken.push({ entry, bytes: content === undefined ? Buffer.alloc(0) : await buffer(content) });
    },
    finish: async () => void ends.push("finish"),
    abort: async () => void ends.push("abort"),
  };
  return { channel: { writeFiles: async () => writer } as unknown as GuestChannel, taken, ends };
}

async function archiveOf(
  items: readonly [Partial<tar.Header> & { name: string }, Buffer?][],
): Promise<Buffer> {
  const pack = tar.pack();
  for (const [header, bytes = Buffer.alloc(0)] of items) pack.entry({ ...header, size: bytes.length }, bytes);
  pack.finalize();
  return buffer(Readable.from(pack));
}

async function unpack(bytes: Buffer): Promise<{ header: tar.Header; bytes: Buffer }[]> {
  const extract = tar.extract();
  extract.end(bytes);
  const found: { header: tar.Header; bytes: Buffer }[] = [];
  for await (const item of extract)
    found.push({ header: item.header, bytes: await buffer(Readable.from(item)) });
  return found;
}

test("a tree becomes a tar below the path's last name, links and devices too", async () => {
  const { channel } = givingGuest(() =>
    listed([
      [{ ...plain, path: "", type: "directory", size: 0 }, Buffer.alloc(0)],
      [fileOf("a", 5), Buffer.from("hello")],
      [{ ...plain, path: "b", type: "hardlink", size: 5, target: "a" }, Buffer.alloc(0)],
      [{ ...plain, path: "c", type: "symlink", size: 0, target: "/etc/passwd" }, Buffer.alloc(0)],
      [{ ...plain, path: "d", type: "char", size: 0, device: { major: 1, minor: 3 } }, Buffer.alloc(0)],
      [{ ...plain, path: "e", type: "fifo", size: 0 }, Buffer.alloc(0)],
    ]),
  );
  let ends = 0;
  const out = await copyOut(channel, "/srv/data/", () => {
    ends += 1;
  });
  const found = await unpack(await buffer(out));
  assert.deepEqual(
    found.map(({ header }) => [header.type, header.name, header.linkname ?? ""]),
    [
      ["directory", "data", ""],
      ["file", "data/a", ""],
      ["link", "data/b", "data/a"],
      ["symlink", "data/c", "/etc/passwd"],
      ["character-device", "data/d", ""],
      ["fifo", "data/e", ""],
    ],
  );
  const [, file, , , device] = found;
  assert.deepEqual([file?.bytes.toString(), file?.header.mode, file?.header.uid], ["hello", 0o640, 7]);
  assert.deepEqual([device?.header.devmajor, device?.header.devminor], [1, 3]);
  assert.equal(ends, 1);
});

for (const [path, name] of [
  ["/", "."],
  ["/a/..", "."],
  ["/a/b/../c", "c"],
  ["x", "x"],
] as const) {
  test(`the top entry of a copy of '${path}' is '${name}'`, async () => {
    const { channel } = givingGuest(() => listed([[fileOf("", 0), Buffer.alloc(0)]]));
    const found = await unpack(await buffer(await copyOut(channel, path, () => {})));
    assert.deepEqual(
      found.map(({ header }) => header.name),
      [name],
    );
  });
}

test("a guest that fails in the middle fails the reader, and ends once", async () => {
  const { channel } = givingGuest(async function* () {
    yield { entry: fileOf("a", 3), content: Readable.from([Buffer.from("abc")]) };
    throw new UniError("guest_failed", "read b: no such file");
  });
  let ends = 0;
  const out = await copyOut(channel, "/srv", () => {
    ends += 1;
  });
  await assert.rejects(buffer(out), /no such file/);
  assert.equal(ends, 1);
});

test("a reader that goes away ends the copy, also while the guest keeps it waiting", async () => {
  for (const first of [Buffer.alloc(0), Buffer.alloc(1 << 20)]) {
    const content = new PassThrough();
    content.write(first);
    const { channel, left } = givingGuest(async function* () {
      yield { entry: fileOf("big", 2 << 20), content };
    });
    const ended = Promise.withResolvers<void>();
    const out = await copyOut(channel, "/srv", ended.resolve);
    out.on("error", () => {});
    out.read();
    out.destroy();
    await ended.promise;
    await left;
  }
});

test("files larger than every buffer pass through whole", async () => {
  const big = Buffer.alloc(3 << 20, "0123456789");
  const chunks = Array.from({ length: 48 }, (_, index) => big.subarray(index << 16, (index + 1) << 16));
  const { channel } = givingGuest(async function* () {
    yield { entry: fileOf("big", big.length), content: Readable.from(chunks, { objectMode: false }) };
  });
  const bytes = await buffer(await copyOut(channel, "/srv", () => {}));
  const guest = takingGuest();
  const result = await copyIn(guest.channel, "/in", Readable.from([bytes]));
  assert.deepEqual(result, { bytes: big.length, entries: 1 });
  assert.ok(guest.taken[0]?.bytes.equals(big));
});

test("a tar becomes entries for the guest, whatever way its names are written", async () => {
  const archive = await archiveOf([
    [{ name: "./dir/", type: "directory", mode: 0o755 }],
    [{ name: "dir//file", mode: 0o4755, mtime: new Date(9_000) }, Buffer.from("x")],
    [{ name: "hard", type: "link", linkname: "./dir/file" }],
    [{ name: "soft", type: "symlink", linkname: "../../etc" }],
  ]);
  const guest = takingGuest();
  const result = await copyIn(guest.channel, "/in", Readable.from([archive]));
  assert.deepEqual(
    guest.taken.map(({ entry }) => [entry.type, entry.path, entry.target ?? ""]),
    [
      ["directory", "dir", ""],
      ["file", "dir/file", ""],
      ["hardlink", "hard", "dir/file"],
      ["symlink", "soft", "../../etc"],
    ],
  );
  assert.deepEqual([guest.taken[1]?.entry.mode, guest.taken[1]?.entry.mtimeMs], [0o4755, 9_000]);
  assert.deepEqual([result, guest.ends], [{ bytes: 1, entries: 4 }, ["finish"]]);
});

const refused: readonly [what: string, archive: () => Promise<Buffer>, message: RegExp][] = [
  ["a name that leads out", () => archiveOf([[{ name: "a/../../b" }, Buffer.from("x")]]), /leads out of it/],
  [
    "a hard link that leads out",
    () => archiveOf([[{ name: "l", type: "link", linkname: "../x" }]]),
    /leads out of it/,
  ],
  [
    "an archive that is cut off",
    async () => (await archiveOf([[{ name: "a" }, Buffer.alloc(5000)]])).subarray(0, 2000),
    /[Uu]nexpected end/,
  ],
  ["bytes that are no archive", async () => Buffer.alloc(2048, 1), /[Ii]nvalid/],
];

for (const [what, archive, message] of refused) {
  test(`refused, and taken back in the guest: ${what}`, async () => {
    const guest = takingGuest();
    const upload = Readable.from([await archive()]);
    await assert.rejects(copyIn(guest.channel, "/in", upload), message);
    assert.deepEqual([guest.ends, upload.destroyed], [["abort"], true]);
  });
}

test("a guest that refuses in the middle ends the upload, also one that has stalled", async () => {
  const guest = takingGuest("b");
  const upload = new PassThrough();
  upload.write(
    await archiveOf([
      [{ name: "a" }, Buffer.from("x")],
      [{ name: "b" }, Buffer.from("y")],
    ]),
  );
  await assert.rejects(copyIn(guest.channel, "/in", upload), /read-only/);
  assert.deepEqual([guest.ends, upload.destroyed], [["abort"], true]);
});

test("an upload that breaks off is taken back in the guest", async () => {
  const guest = takingGuest();
  const upload = new PassThrough();
  upload.write((await archiveOf([[{ name: "a" }, Buffer.alloc(9000)]])).subarray(0, 3000));
  const copied = copyIn(guest.channel, "/in", upload);
  setImmediate(() => upload.destroy(new Error("client left")));
  await assert.rejects(copied, /client left/);
  assert.deepEqual(guest.ends, ["abort"]);
});

test("what goes out comes in again as it was", async () => {
  const name = fc
    .stringMatching(/^[a-z0-9 _-]{1,120}$/)
    .filter((text) => text.trim() === text && text !== "");
  const file = fc.tuple(name, fc.uint8Array({ maxLength: 3000 }));
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(file, { selector: ([path]) => path, maxLength: 6 }), async (files) => {
      const items = files.map(([path, bytes]): [FileEntry, Buffer] => [
        fileOf(path, bytes.length),
        Buffer.from(bytes),
      ]);
      const { channel } = givingGuest(() => listed(items));
      const guest = takingGuest();
      await copyIn(guest.channel, "/in", await copyOut(channel, "/top", () => {}));
      assert.deepEqual(
        guest.taken.map(({ entry, bytes }) => [entry.path, entry.mode, entry.mtimeMs, bytes]),
        items.map(([entry, bytes]) => [`top/${entry.path}`, entry.mode, entry.mtimeMs, bytes]),
      );
    }),
    { numRuns: 50 },
  );
});
