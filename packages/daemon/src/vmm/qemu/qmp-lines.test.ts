import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineSplitter, maxLineBytes } from "./qmp-lines.ts";

test("however the bytes are cut, the lines are the same", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => text.replaceAll("\n", " "));
  fc.assert(
    fc.property(fc.array(line), fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (lines, sizes) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(""));
      const splitter = new LineSplitter();
      const seen: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const size = sizes.next().value as number;
        seen.push(...splitter.push(bytes.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(seen, lines);
    }),
  );
});

test("any bytes at all end in lines or in a RangeError", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
      const splitter = new LineSplitter();
      const count = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk))).length;
      assert.equal(count, chunks.flatMap((chunk) => [...chunk]).filter((byte) => byte === 10).length);
    }),
  );
});

test("a line over the limit is refused before it is kept, in one piece or in many", () => {
  const whole = new LineSplitter();
  assert.throws(() => whole.push(Buffer.alloc(maxLineBytes + 1, "a")), RangeError);
  const pieces = new LineSplitter();
  pieces.push(Buffer.alloc(maxLineBytes, "a"));
  assert.throws(() => pieces.push(Buffer.from("a")), RangeError);
});
