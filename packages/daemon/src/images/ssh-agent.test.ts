import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type AskAgent, serveAgent } from "./ssh-agent.ts";

const message = (...bytes: number[]) => Buffer.from([0, 0, 0, bytes.length, ...bytes]);

/** What the agent says to these bytes until it hangs up, or we do after so much. */
async function talk(ask: AskAgent, sent: readonly Buffer[], expected: number): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), "uni-agent-"));
  const path = join(directory, "agent");
  try {
    await using _server = await serveAgent(path, ask);
    assert.equal(statSync(path).mode & 0o077 & 0o022, 0, "nobody else may connect");
    const socket = connect(path);
    await once(socket, "connect");
    for (const bytes of sent) socket.write(bytes);
    let heard = Buffer.alloc(0);
    for await (const chunk of socket) {
      heard = Buffer.concat([heard, chunk as Buffer]);
      if (heard.length >= expected) break;
    }
    socket.destroy();
    return heard;
  } finally {
    assert.ok(!existsSync(path), "the socket has gone");
    rmSync(directory, { recursive: true });
  }
}

test("messages are handed on whole, in whatever pieces they come, and answered in their order", async () => {
  const asked: number[][] = [];
  const echo: AskAgent = async (bytes) => {
    asked.push([...bytes]);
    return Uint8Array.of(...bytes, 9);
  };
  const both = Buffer.concat([message(11), message(13, 1, 2)]);
  const pieces = [both.subarray(0, 3), both.subarray(3, 6), both.subarray(6)];
  const heard = await talk(echo, pieces, 14);
  assert.deepEqual(asked, [[11], [13, 1, 2]]);
  assert.deepEqual(heard, Buffer.concat([message(11, 9), message(13, 1, 2, 9)]));
});

test("what is no message, or gets no answer, is hung up on", async () => {
  const silent: AskAgent = () => Promise.reject(new Error("gone"));
  assert.equal((await talk(silent, [message(11)], 1)).length, 0);
  for (const length of [0, 0xffffffff, (256 << 10) + 1]) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    assert.equal((await talk(async () => Uint8Array.of(5), [bytes], 1)).length, 0);
  }
});
