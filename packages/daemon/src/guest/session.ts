/**
 * One connection that is in step with the agent: frames out, frames in, each handed to who waits for it. Ends for good
 * at the first byte that an honest agent would not send.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/message-of.ts";
import { Fields } from "./fields.ts";
import { encodeFrame, encodeHello, FrameReader, type WireFrame } from "./frames.ts";
import { flagMore, keys, maxToGuest, ProtocolError, tokenLength, types } from "./wire.ts";

export interface SessionOptions {
  readonly socketPath: string;
  readonly logOffset: number | "anew";
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Takes the frames of one stream. `broken` is the last call if the session ends first. */
export interface StreamSink {
  frame(frame: WireFrame): void;
  broken(error: UniError): void;
}

type Waiter = { resolve: (fields: Fields) => void; reject: (error: UniError) => void };

export class GuestSession {
  readonly clock: Clock;
  readonly closed: Promise<void>;
  /** Set once, before any frame is read: takes what belongs to no request and no stream. */
  onFrame: (frame: WireFrame) => void = () => {};
  readonly #socket: Socket;
  readonly #token: Buffer;
  readonly #path: string;
  readonly #replies = new Map<number, Waiter>();
  readonly #streams = new Map<number, StreamSink>();
  #lastId = 0;
  #ended: UniError | undefined;

  constructor(socket: Socket, token: Buffer, path: string, clock: Clock) {
    this.clock = clock;
    this.#socket = socket;
    this.#token = token;
    this.#path = path;
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#end(unreachable(path, "the connection ended"));
        resolve();
      });
    });
    socket.on("error", (error) => this.#end(unreachable(path, error.message, error)));
  }

  /** Frames that arrived; a protocol error in one ends the session. */
  receive(frames: readonly WireFrame[]): void {
    for (const frame of frames) {
      if (this.#ended !== undefined) return;
      try {
        this.#dispatch(frame);
      } catch (error) {
        this.fail(error);
      }
    }
  }

  fail(error: unknown): void {
    const reason = messageOf(error);
    this.#end(unreachable(this.#path, reason, error));
    this.#socket.destroy();
  }

  close(): Promise<void> {
    this.#end(unreachable(this.#path, "the channel was closed"));
    this.#socket.end();
    this.#socket.destroySoon();
    return this.closed;
  }

  /** Sends a message, in parts if it is long. Silently nothing once the session has ended. */
  send(id: number, type: number, payload: Buffer, flags = 0): void {
    if (this.#ended !== undefined) return;
    for (let at = 0; ; at += maxToGuest) {
      const more = payload.length - at > maxToGuest;
      const part = payload.subarray(at, at + maxToGuest);
      this.#socket.write(
        encodeFrame({ id, type, flags: more ? flagMore : flags, payload: part }, this.#token),
      );
      if (!more) return;
    }
  }

  /** What is sent stays here until the returned function is called. */
  hold(): () => void {
    this.#socket.cork();
    return () => this.#socket.uncork();
  }

  /** Rejects if the agent refuses, does not answer in time, or is lost. */
  async request(type: number, payload: Buffer, attempted: string, timeoutMs: number): Promise<Fields> {
    const id = this.#takeId();
    const { promise, resolve, reject } = Promise.withResolvers<Fields>();
    if (this.#ended !== undefined) throw this.#ended;
    const cancel = this.clock.after(timeoutMs, () =>
      reject(new UniError("timed_out", `${attempted}: the guest did not answer within ${timeoutMs} ms`)),
    );
    this.#replies.set(id, { resolve, reject });
    this.send(id, type, payload);
    try {
      const fields = await promise;
      // 0 is success; the agent explains everything else.
      if (fields.number(keys.code) === 0) return fields;
      throw new UniError("guest_failed", `${attempted}: ${fields.text(keys.reason)}`);
    } finally {
      cancel();
      this.#replies.delete(id);
    }
  }

  /** Starts a stream; its id is free again after `forget`. */
  openStream(sink: StreamSink): number {
    if (this.#ended !== undefined) throw this.#ended;
    const id = this.#takeId();
    this.#streams.set(id, sink);
    return id;
  }

  forget(id: number): void {
    this.#streams.delete(id);
  }

  #dispatch(frame: WireFrame): void {
    if (frame.type === types.reply) {
      this.#replies.get(frame.id)?.resolve(new Fields(frame.payload));
      return;
    }
    const ofStream = frame.type >= types.opened || frame.type === types.data || frame.type === types.credit;
    if (ofStream) this.#streams.get(frame.id)?.frame(frame);
    else this.onFrame(frame);
  }

  #takeId(): number {
    if (this.#replies.size + this.#streams.size > 1000) {
      throw new UniError("too_many", `talk to the guest on ${this.#path}: too many requests at once`);
    }
    do {
      this.#lastId = (this.#lastId % 0xffff) + 1;
    } while (this.#replies.has(this.#lastId) || this.#streams.has(this.#lastId));
    return this.#lastId;
  }

  #end(error: UniError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const waiter of this.#replies.values()) waiter.reject(error);
    for (const sink of this.#streams.values()) sink.broken(error);
    this.#streams.clear();
  }
}

/**
 * How long an answer is waited for before the hello is said again. The guest's kernel tells the agent of a new host apart
 * from the host's bytes and perhaps later (virtio_console handles control messages in a work queue): the agent may read a
 * hello, then hear that there is no host, and forget it.
 */
const helloAgainMs = 1_000;

/** Connects and says hello; resolves with the agent's state when it answered, the session's frames begin at once after. */
export async function openSession(
  options: SessionOptions,
  prepare: (session: GuestSession) => void = () => {},
): Promise<{ session: GuestSession; state: number }> {
  const { socketPath, clock, signal } = options;
  signal.throwIfAborted();
  const socket = connect({ path: socketPath });
  const { promise, resolve, reject } = Promise.withResolvers<{ session: GuestSession; state: number }>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  let session: GuestSession | undefined;
  let token = newToken();
  let reader = new FrameReader(token);
  let cancel = () => {};
  // Only the answer to the last hello counts: an agent that heard two of them begins anew at the second.
  const sayHello = () => {
    token = newToken();
    reader = new FrameReader(token);
    socket.write(encodeHello(token, options.logOffset));
    cancel = clock.after(helloAgainMs, sayHello);
  };
  const greet = (first: WireFrame): GuestSession => {
    if (first.type !== types.state) throw new ProtocolError("the agent did not begin with its state");
    cancel();
    const greeted = new GuestSession(socket, token, socketPath, clock);
    prepare(greeted);
    resolve({ session: greeted, state: new Fields(first.payload).number(keys.state) });
    return greeted;
  };
  socket.on("connect", sayHello);
  socket.on("close", () => reject(unreachable(socketPath, "the connection ended before the agent answered")));
  socket.on("error", (error) => reject(unreachable(socketPath, error.message, error)));
  socket.on("data", (chunk) => {
    try {
      let frames: readonly WireFrame[] = reader.push(chunk);
      if (session === undefined && frames[0] !== undefined) {
        session = greet(frames[0]);
        frames = frames.slice(1);
      }
      session?.receive(frames);
    } catch (error) {
      if (session === undefined) socket.destroy(error as Error);
      else session.fail(error);
    }
  });
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/** Zeros fill a torn frame: the tag that it then has must not be ours (see native/guest/src/frames.h). */
function newToken(): Buffer {
  const token = randomBytes(tokenLength);
  token.writeUInt8((token.readUInt8(3) % 255) + 1, 3);
  return token;
}

function unreachable(path: string, reason: string, cause?: unknown): UniError {
  return new UniError("guest_unreachable", `talk to the agent on ${path}: ${reason}`, { cause });
}
