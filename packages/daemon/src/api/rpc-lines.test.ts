import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineReader } from "./rpc-lines.ts";

function drain(reader: LineReader): string[] {
  const lines: string[] = [];
  for (let line = reader.next(); line !== undefined; line = reader.next()) lines.push(line);
  return lines;
}

test("lines come out whole, however the bytes were cut", () => {
  const cut = fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(20), { maxLength: 60 }));
  fc.assert(
    fc.property(cut, ([bytes, sizes]) => {
      const all = Buffer.from(bytes);
      const reader = new LineReader(1000);
      const lines: string[] = [];
      let offset = 0;
      for (const size of [...sizes, all.length]) {
        reader.push(all.subarray(offset, offset + size));
        offset += size;
        lines.push(...drain(reader));
      }
      // Split as bytes: a piece of a multi-byte character must not be read as text before its line is whole.
      const expected: string[] = [];
      let start = 0;
      for (let at = all.indexOf(10); at >= 0; at = all.indexOf(10, start)) {
        expected.push(all.subarray(start, at).toString());
        start = at + 1;
      }
      assert.deepEqual(lines, expected);
      assert.deepEqual(reader.rest(), Buffer.from(all.subarray(start)));
      assert.equal(reader.length, 0);
    }),
  );
});

test("a line over the limit is refused, ended or not", () => {
  const open = new LineReader(4);
  open.push(Buffer.from("123"));
  assert.equal(open.next(), undefined);
  open.push(Buffer.from("45"));
  assert.throws(() => open.next(), RangeError);
  const ended = new LineReader(4);
  ended.push(Buffer.from("12345\n"));
  assert.throws(() => ended.next(), RangeError);
  const fitting = new LineReader(4);
  fitting.push(Buffer.from("1234\n5"));
  assert.equal(fitting.next(), "1234");
});
