import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeFrame, FrameDecoder, type FrameKind, frameKinds, maxFramePayload } from "./stream-frames.ts";

const kind = fc.constantFrom(...(Object.values(frameKinds) as FrameKind[]));
const frame = fc.record({ kind, payload: fc.uint8Array({ maxLength: 40 }) }, { noNullPrototype: true });

test("frames come out as they went in, however the bytes were cut", () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.nat(30)), (frames, sizes) => {
      const encoded = frames.map((one) => encodeFrame(one.kind, one.payload));
      const bytes = new Uint8Array(Buffer.concat(encoded));
      const decoder = new FrameDecoder();
      const decoded = [];
      let offset = 0;
      for (const size of [...sizes, bytes.length]) {
        decoded.push(...decoder.push(bytes.subarray(offset, offset + size)));
        offset += size;
      }
      assert.deepEqual(decoded, frames);
    }),
  );
});

test("any bytes are frames, wait for more, or are a RangeError", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
      const decoder = new FrameDecoder();
      try {
        for (const chunk of chunks) decoder.push(chunk);
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }),
  );
});

test("an over-long payload is refused by its header alone", () => {
  const header = new Uint8Array(5);
  header[0] = frameKinds.data;
  new DataView(header.buffer).setUint32(1, maxFramePayload + 1);
  assert.throws(() => new FrameDecoder().push(header), RangeError);
});
