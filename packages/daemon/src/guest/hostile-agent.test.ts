/** Agents that are none: what they send ends their channel, and nothing else. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../../../../test/kit/until.ts";
import { silentLog } from "../base/log.ts";
import { ManualClock } from "../base/manual-clock.ts";
import { createGuestConnector } from "./connector.ts";
import { encodeFrame, type WireFrame } from "./frames.ts";
import type { GuestChannel, GuestEvent } from "./port.ts";
import { helloMagic, tokenLength, types } from "./wire.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly channel: GuestChannel;
  readonly events: GuestEvent[];
  readonly isClosed: () => boolean;
  readonly say: (frame: Partial<WireFrame>) => void;
}

/** An agent that answers the hello and says nothing else by itself. */
async function withAgent(context: TestContext): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), "uni-agent-"));
  const path = join(directory, "socket");
  let socket: Socket | undefined;
  let token = Buffer.alloc(0);
  const say: Scene["say"] = (frame) =>
    void socket?.write(encodeFrame({ id: 0, type: 0, flags: 0, payload: Buffer.alloc(0), ...frame }, token));
  const server = createServer((connection) => {
    socket = connection;
    connection.on("error", () => {});
    let heard = Buffer.alloc(0);
    connection.on("data", (chunk) => {
      if (token.length > 0) return;
      heard = Buffer.concat([heard, chunk]);
      const at = heard.indexOf(helloMagic);
      if (at < 0 || heard.length < at + helloMagic.length + tokenLength) return;
      token = heard.subarray(at + helloMagic.length, at + helloMagic.length + tokenLength);
      connection.write(Buffer.concat([helloMagic, token]));
      say({ type: types.state });
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const clock = new ManualClock();
  const channel = await createGuestConnector({ clock, log: silentLog }).connect(path, {
    logOffset: 0,
    signal: AbortSignal.timeout(20_000),
  });
  context.after(async () => {
    await channel.close();
    server.close();
    rmSync(directory, { recursive: true });
  });
  const events: GuestEvent[] = [];
  channel.onEvent((event) => void events.push(event));
  let closed = false;
  void channel.closed.then(() => {
    closed = true;
  });
  return { clock, channel, events, isClosed: () => closed, say };
}

function logFrame(offset: bigint, timeMs: bigint): Partial<WireFrame> {
  const payload = Buffer.alloc(17 + 4, "text");
  payload.writeBigUInt64LE(offset, 0);
  payload.writeBigUInt64LE(timeMs, 8);
  payload.writeUInt8(1, 16);
  return { type: types.log, payload };
}

function lostFrame(offset: bigint, bytes: bigint): Partial<WireFrame> {
  const payload = Buffer.alloc(16);
  payload.writeBigUInt64LE(offset, 0);
  payload.writeBigUInt64LE(bytes, 8);
  return { type: types.logLost, payload };
}

const most = 2n ** 64n - 1n;
const frames: Readonly<Record<string, Partial<WireFrame>>> = {
  "output at the end of all numbers": logFrame(most, 1n),
  "output at an instant that no date has": logFrame(0n, 2n ** 53n),
  "a loss at the end of all numbers": lostFrame(most, 0n),
  "a loss of more than there are numbers": lostFrame(1n, most),
};

for (const [what, frame] of Object.entries(frames)) {
  test(`an agent that tells of ${what} is not listened to any more`, async (context) => {
    const { events, isClosed, say } = await withAgent(context);
    say(logFrame(0n, 1n));
    say(frame);
    await until("the channel ends", isClosed);
    assert.deepEqual(
      events.map((event) => event.kind),
      ["log"],
    );
  });
}

test("an agent that never powers off is given up", async (context) => {
  const { channel, clock } = await withAgent(context);
  const unheard: unknown[] = [];
  const hear = (reason: unknown) => void unheard.push(reason);
  process.on("unhandledRejection", hear);
  context.after(() => process.off("unhandledRejection", hear));
  const off = assert.rejects(channel.powerOff(), { code: "timed_out" });
  await clock.advance(120_000);
  await off;
  assert.deepEqual(unheard, []);
});
