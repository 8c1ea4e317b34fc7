/** A server of the unix socket over the memory core, and clients that speak to it byte by byte. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  encodeFrame,
  encodeJsonFrame,
  type Frame,
  FrameDecoder,
  type FrameKind,
} from "@uni/contract/stream-frames";
import { silentLog } from "../base/log.ts";
import { createFakeCore, type FakeCore } from "./fake-core.ts";
import { startSocket } from "./socket.ts";

export interface Client {
  readonly socket: Socket;
  call(method: string, params?: object): void;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  reply(): Promise<any>;
  send(kind: FrameKind, payload: string | Uint8Array): void;
  sendJson(kind: FrameKind, value: unknown): void;
  frame(): Promise<Frame>;
  frames(): Promise<Frame[]>;
  bytes(): Promise<string>;
}

export async function serve(
  context: TestContext,
): Promise<{ core: FakeCore; path: string; client: () => Promise<Client> }> {
  const directory = mkdtempSync(join(tmpdir(), "uni-socket-"));
  const path = join(directory, "s");
  const core = createFakeCore();
  const listener = await startSocket(core, { path, log: silentLog });
  context.after(async () => {
    await listener.close();
    rmSync(directory, { recursive: true });
  });
  const client = async () => {
    const opened = await open(path);
    context.after(() => opened.socket.destroy());
    return opened;
  };
  return { core, path, client };
}

export async function open(path: string): Promise<Client> {
  const socket = connect(path);
  await once(socket, "connect");
  let pending = Buffer.alloc(0);
  let ended = false;
  let wake = () => {};
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    wake();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    ended = true;
    wake();
  });
  const more = async () => {
    if (ended) throw new Error("the server closed the connection");
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  };
  const decoder = new FrameDecoder();
  const ready: Frame[] = [];
  const nextFrame = async (): Promise<Frame | undefined> => {
    for (;;) {
      ready.push(...decoder.push(pending));
      pending = Buffer.alloc(0);
      const frame = ready.shift();
      if (frame !== undefined || ended) return frame;
      await more();
    }
  };
  let id = 0;
  return {
    socket,
    call: (method, params) => {
      id += 1;
      socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    },
    reply: async () => {
      while (!pending.includes(10)) await more();
      const end = pending.indexOf(10);
      const line = pending.toString("utf8", 0, end);
      pending = pending.subarray(end + 1);
      return JSON.parse(line);
    },
    send: (kind, payload) => void socket.write(encodeFrame(kind, Buffer.from(payload))),
    sendJson: (kind, value) => void socket.write(encodeJsonFrame(kind, value)),
    frame: async () => {
      const frame = await nextFrame();
      assert.ok(frame, "the stream ended");
      return frame;
    },
    frames: async () => {
      const all: Frame[] = [];
      for (let frame = await nextFrame(); frame !== undefined; frame = await nextFrame()) all.push(frame);
      return all;
    },
    bytes: async () => {
      while (!ended) await more();
      return pending.toString();
    },
  };
}

export const text = (frames: readonly Frame[], kind: FrameKind) =>
  Buffer.concat(frames.filter((frame) => frame.kind === kind).map(({ payload }) => payload)).toString();
export const json = (frame: Frame | undefined) => JSON.parse(Buffer.from(frame?.payload ?? []).toString());
export const opened = { stream: true };

export async function run(client: Client, name: string): Promise<string> {
  client.call("VM.Run", { image: "hello", name });
  return (await client.reply()).result.id;
}
