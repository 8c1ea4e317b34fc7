import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { encodeFrame, frameKinds } from "@uni/contract/stream-frames";
import { FrameChannel } from "./frame-channel.ts";

/** A client that reads nothing until it is told to. */
function stuckClient() {
  const waiting: (() => void)[] = [];
  let bytes = 0;
  const connection = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, taken) => {
      waiting.push(() => {
        bytes += chunk.length;
        taken();
      });
    },
  });
  const gone = new AbortController();
  const channel = new FrameChannel(connection, gone.signal);
  const readAll = () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next();
  };
  return { connection, channel, gone, readAll, read: () => bytes };
}

const large = Buffer.alloc(64 << 10);

test("sending waits for a slow client and goes on when it reads", async () => {
  const { channel, readAll, read } = stuckClient();
  let sent = false;
  const sending = channel.send(frameKinds.data, large).then(() => {
    sent = true;
  });
  await Promise.resolve();
  assert.equal(sent, false);
  readAll();
  await sending;
  assert.equal(read(), large.length + 5);
});

test("sending ends when the client goes", async () => {
  const { channel, gone } = stuckClient();
  const sending = channel.send(frameKinds.data, large);
  gone.abort(new UniError("unreachable", "gone"));
  await assert.rejects(sending);
  await assert.rejects(channel.sendJson(frameKinds.event, {}));
  await channel.finish({ result: 1 });
});

test("what a client can do without is left out while it is slow", () => {
  const { channel, connection } = stuckClient();
  const progress = { step: "x", message: "y".repeat(1000) };
  for (let index = 0; index < 5000; index++) channel.sendIfReady(frameKinds.progress, progress);
  assert.ok(connection.writableLength < 2 << 20);
});

test("a client that sends faster than anybody consumes is left waiting", async () => {
  const { channel, connection } = stuckClient();
  const frame = Buffer.from(encodeFrame(frameKinds.data, large));
  let pushed = 0;
  while (!connection.isPaused() && pushed < 100) {
    channel.push(frame);
    pushed += 1;
  }
  assert.ok(connection.isPaused());
  let taken = 0;
  for await (const { payload } of channel.frames()) {
    taken += payload.length;
    if (taken === pushed * large.length) break;
  }
  assert.equal(connection.isPaused(), false);
});

test("bytes that are no frames end the reading with a reason", async () => {
  const { channel } = stuckClient();
  channel.push(Buffer.from(encodeFrame(frameKinds.stdin, Buffer.from("a"))));
  channel.push(Buffer.from([99, 0, 0, 0, 0]));
  const seen: number[] = [];
  await assert.rejects(
    async () => {
      for await (const { kind } of channel.frames()) seen.push(kind);
    },
    { code: "malformed" },
  );
  assert.deepEqual(seen, [frameKinds.stdin]);
});
