/**
 * A daemon by script, for tests of clients: listens on a unix socket of its own, answers each JSON-RPC method as the test
 * says, and remembers what it was asked.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toErrorBody } from "@uni/contract/error-body";
import { UniError } from "@uni/contract/errors";
import {
  encodeFrame,
  encodeJsonFrame,
  type Frame,
  FrameDecoder,
  type FrameKind,
  frameKinds,
} from "@uni/contract/stream-frames";

export interface Peer {
  readonly socket: Socket;
  send(kind: FrameKind, payload: Uint8Array | string): void;
  sendJson(kind: FrameKind, value: unknown): void;
  /** What the client sends, until it goes. */
  readonly frames: AsyncIterable<Frame>;
  /** Resolves when the client is gone. */
  readonly gone: Promise<void>;
}

/** A stream: after the reply, `play` has the connection; what it returns is the result frame. */
export class Stream {
  readonly play: (peer: Peer) => Promise<unknown>;

  constructor(play: (peer: Peer) => Promise<unknown>) {
    this.play = play;
  }
}

/** Raw bytes after the reply. */
export class Raw {
  readonly play: (socket: Socket) => void;

  constructor(play: (socket: Socket) => void) {
    this.play = play;
  }
}

/** Says nothing and lets the client wait. */
export const silence = Symbol("silence");

export type Params = Readonly<Record<string, unknown>>;
/** Returns the result, a Stream, a Raw, or `silence`; throws a UniError to refuse. */
export type Script = Readonly<Record<string, (params: Params) => unknown>>;

export interface FakeDaemon {
  readonly socketPath: string;
  readonly calls: { readonly method: string; readonly params: Params }[];
  close(): Promise<void>;
}

export const events = (...values: readonly unknown[]) =>
  new Stream(async (peer) => {
    for (const value of values) peer.sendJson(frameKinds.event, value);
    return { status: "ok" };
  });

/** Takes an upload to its end, then answers with what `finish` makes of it. */
export const upload = (finish: (bytes: Buffer, peer: Peer) => unknown) =>
  new Stream(async (peer) => {
    const chunks: Uint8Array[] = [];
    for await (const frame of peer.frames) {
      if (frame.kind === frameKinds.end) break;
      if (frame.kind === frameKinds.data) chunks.push(frame.payload);
    }
    return finish(Buffer.concat(chunks), peer);
  });

async function* framesOf(socket: Socket): AsyncGenerator<Frame, void, undefined> {
  const decoder = new FrameDecoder();
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    yield* decoder.push(chunk);
  }
}

function peerOf(socket: Socket): Peer {
  return {
    socket,
    send: (kind, payload) => void socket.write(encodeFrame(kind, Buffer.from(payload as string))),
    sendJson: (kind, value) => void socket.write(encodeJsonFrame(kind, value)),
    frames: framesOf(socket),
    gone: new Promise((resolve) => socket.once("close", () => resolve())),
  };
}

function replyLine(id: unknown, members: object): string {
  return `${JSON.stringify({ jsonrpc: "2.0", id, ...members })}\n`;
}

const failure = (id: unknown, error: UniError) =>
  replyLine(id, { error: { code: -32000, message: error.message, data: toErrorBody(error) } });

async function playStream(socket: Socket, stream: Stream): Promise<void> {
  const peer = peerOf(socket);
  try {
    peer.sendJson(frameKinds.result, (await stream.play(peer)) ?? null);
  } catch (error) {
    if (!(error instanceof UniError)) throw error;
    peer.sendJson(frameKinds.error, toErrorBody(error));
  }
  socket.end();
  socket.resume();
}

async function answer(socket: Socket, line: string, daemon: FakeDaemon, script: Script): Promise<void> {
  const { id, method, params } = JSON.parse(line) as { id: unknown; method: string; params: Params };
  daemon.calls.push({ method, params });
  const handler = script[method];
  if (handler === undefined) {
    socket.write(replyLine(id, { error: { code: -32601, message: `no method ${method}` } }));
    return;
  }
  try {
    const result = await handler(params);
    if (result === silence) return;
    const opened = result instanceof Stream || result instanceof Raw;
    socket.write(replyLine(id, { result: opened ? { stream: true } : (result ?? null) }));
    if (result instanceof Stream) await playStream(socket, result);
    if (result instanceof Raw) result.play(socket);
  } catch (error) {
    if (!(error instanceof UniError)) throw error;
    socket.write(failure(id, error));
  }
}

async function serve(socket: Socket, daemon: FakeDaemon, script: Script): Promise<void> {
  let text = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text = Buffer.concat([text, chunk]);
    if (text.includes(10)) break;
  }
  const newline = text.indexOf(10);
  if (newline < 0) return;
  const rest = text.subarray(newline + 1);
  if (rest.length > 0) socket.unshift(rest);
  await answer(socket, text.subarray(0, newline).toString("utf8"), daemon, script);
}

export async function startFakeDaemon(script: Script): Promise<FakeDaemon> {
  const directory = await mkdtemp(join(tmpdir(), "uni-fake-"));
  const socketPath = join(directory, "unid.sock");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    void serve(socket, daemon, script).catch(() => socket.destroy());
  });
  const daemon: FakeDaemon = {
    socketPath,
    calls: [],
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return daemon;
}
