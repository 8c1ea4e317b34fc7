import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeFrame, encodeHello, FrameReader, type WireFrame } from "./frames.ts";
import { helloMagic, maxToGuest, maxToHost, ProtocolError, tokenLength } from "./wire.ts";

const token = Buffer.alloc(tokenLength, 0x5a);
const greeting = Buffer.concat([helloMagic, token]);
const frameOf = fc.record(
  {
    id: fc.nat(0xffff),
    type: fc.integer({ min: 1, max: 255 }),
    flags: fc.nat(255),
    payload: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
  },
  { noNullPrototype: true },
);

/** `bytes` in pieces whose lengths come from `cuts`, again and again. */
function* pieces(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const length = (cuts[index % cuts.length] ?? 0) + 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

const read = (reader: FrameReader, bytes: Buffer, cuts: readonly number[]): WireFrame[] =>
  [...pieces(bytes, cuts)]
    .flatMap((piece) => reader.push(piece))
    .map((f) => ({ ...f, payload: Buffer.from(f.payload) }));

test("frames come out as they went in, in whatever cut, after whatever stale bytes", () => {
  fc.assert(
    fc.property(
      fc.array(frameOf, { maxLength: 8 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.nat(70), { minLength: 1, maxLength: 9 }),
      (frames, stale, cuts) => {
        const encoded = frames.map((frame) => encodeFrame(frame, token));
        const reader = new FrameReader(token);
        assert.deepEqual(read(reader, Buffer.concat([stale, greeting, ...encoded]), cuts), frames);
        assert.ok(reader.synced);
      },
    ),
  );
});

test("a changed byte in a frame's length or tag ends the channel or waits for more, and never makes another frame", () => {
  const frame = { id: 1, type: 35, flags: 0, payload: Buffer.alloc(40, 7) };
  const encoded = encodeFrame(frame, token);
  fc.assert(
    fc.property(
      fc.constantFrom(4, 5, 6, 7, encoded.length - 1, encoded.length - 4),
      fc.integer({ min: 1, max: 255 }),
      (at, flip) => {
        const bytes = Buffer.from(encoded);
        bytes.writeUInt8(bytes.readUInt8(at) ^ flip, at);
        const reader = new FrameReader(token);
        reader.push(greeting);
        try {
          assert.deepEqual(reader.push(bytes), []);
        } catch (error) {
          assert.ok(error instanceof ProtocolError);
        }
      },
    ),
  );
});

test("a frame over the limit is refused by its header alone", () => {
  const reader = new FrameReader(token);
  reader.push(greeting);
  const header = Buffer.alloc(8, 1);
  header.writeUInt32LE(maxToHost + 1, 4);
  assert.throws(() => reader.push(header), ProtocolError);
});

test("a guest that never answers the hello is not listened to for ever", () => {
  const reader = new FrameReader(token);
  const flood = () => {
    for (let i = 0; i < 64; i++) reader.push(Buffer.alloc(1 << 20));
  };
  assert.throws(flood, ProtocolError);
});

test("a hello brings enough zeros to end the longest torn frame", () => {
  const hello = encodeHello(token, 4711);
  const magic = hello.indexOf(helloMagic);
  assert.ok(magic >= 8 + maxToGuest + 4);
  assert.ok(hello.subarray(0, magic).every((byte) => byte === 0));
  assert.equal(hello.readBigUInt64LE(magic + greeting.length), 4711n);
});
