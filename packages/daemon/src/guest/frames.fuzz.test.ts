/** Random and mangled guest bytes against every parser of them: nothing but ProtocolError, UniError or a value comes out. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import fc from "fast-check";
import { Fields } from "./fields.ts";
import { createFileReader } from "./file-reader.ts";
import {
  decodeEntry,
  encodeEntry,
  encodeRecord,
  isInnerPath,
  recordHead,
  recordKinds,
} from "./file-records.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import type { FileEntry } from "./port.ts";
import type { GuestStream } from "./stream.ts";
import { helloMagic, ProtocolError, tokenLength } from "./wire.ts";

const runs = { numRuns: 300 };
const token = Buffer.alloc(tokenLength, 3);

/** Runs `parse`; only the errors that callers expect may come out. */
function expected<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
    return undefined;
  }
}

/** Valid bytes with a few of them changed, and pure noise. */
const mangled = (valid: Buffer) =>
  fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }).map((changes) => {
      const bytes = Buffer.from(valid);
      for (const [at, value] of changes) bytes.writeUInt8(value, at % bytes.length);
      return bytes;
    }),
  );

const entry: FileEntry = { path: "a/b", type: "file", mode: 0o644, uid: 1, gid: 2, size: 70_000, mtimeMs: 3 };

test("frames", () => {
  const valid = encodeFrame({ id: 1, type: 34, flags: 0, payload: Buffer.alloc(30) }, token);
  fc.assert(
    fc.property(fc.array(mangled(valid), { maxLength: 6 }), (chunks) => {
      const reader = new FrameReader(token);
      reader.push(Buffer.concat([helloMagic, token]));
      expected(() => {
        for (const chunk of chunks)
          for (const { payload } of reader.push(chunk)) expected(() => new Fields(payload));
      });
    }),
    runs,
  );
});

test("file entries never name a path outside their tree", () => {
  fc.assert(
    fc.property(mangled(encodeEntry(entry).subarray(recordHead)), (bytes) => {
      const decoded = expected(() => decodeEntry(bytes));
      assert.ok(decoded === undefined || isInnerPath(decoded.path));
    }),
    runs,
  );
});

test("streams of file records end, and give no file more than its size", async () => {
  const valid = Buffer.concat([
    encodeEntry(entry),
    encodeRecord(recordKinds.data, Buffer.alloc(40_000)),
    encodeRecord(recordKinds.hole, Buffer.from([0x30, 0x75, 0, 0, 0, 0, 0, 0])),
    encodeEntry({ ...entry, path: "link", type: "symlink", size: 0, target: "/etc/passwd" }),
    encodeRecord(recordKinds.done, Buffer.alloc(0)),
  ]);
  await fc.assert(
    fc.asyncProperty(mangled(valid), async (bytes) => {
      const stream = { io: Readable.from([bytes]), close() {} } as unknown as GuestStream;
      try {
        for await (const { entry: read, content } of createFileReader(stream, "read").entries()) {
          // A size that no test could wait for is checked by its first bytes only.
          let length = 0;
          for await (const chunk of content) {
            length += (chunk as Buffer).length;
            if (length > 1 << 20) break;
          }
          assert.ok(length <= read.size);
        }
      } catch (error) {
        assert.ok(error instanceof UniError, String(error));
      }
    }),
    runs,
  );
});
