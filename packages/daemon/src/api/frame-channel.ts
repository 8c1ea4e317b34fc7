/**
 * Frames on a connection that a reply turned into a stream. Writing waits for a slow client; while nobody consumes what
 * the client sends, it is left in the kernel. When the client goes, `signal` aborts and every wait ends.
 */
import { once } from "node:events";
import { type Duplex, Readable } from "node:stream";
import { toErrorBody } from "@uni/contract/error-body";
import { UniError } from "@uni/contract/errors";
import {
  encodeFrame,
  encodeJsonFrame,
  type Frame,
  FrameDecoder,
  type FrameKind,
  frameKinds,
  maxFramePayload,
} from "@uni/contract/stream-frames";

/** Above this much, unconsumed frames stop the reading, and progress that nobody reads is left out. */
const highWater = 1 << 20;

export class FrameChannel {
  readonly signal: AbortSignal;
  readonly #connection: Duplex;
  readonly #decoder = new FrameDecoder();
  #queue: Frame[] = [];
  #queuedBytes = 0;
  #ignoring = false;
  #failure: UniError | undefined;
  #wake: () => void = () => {};

  constructor(connection: Duplex, signal: AbortSignal) {
    this.#connection = connection;
    this.signal = signal;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  /** Takes bytes of the client as they come. */
  push(chunk: Buffer): void {
    if (this.#ignoring || this.#failure !== undefined) return;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#queue.push(frame);
        this.#queuedBytes += frame.payload.length + 1;
      }
    } catch (error) {
      this.#failure = new UniError("malformed", `read stream frames: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (this.#queuedBytes > highWater) this.#connection.pause();
    this.#wake();
  }

  /** The client's frames, until it goes. Breaking out drops the rest. */
  async *frames(): AsyncGenerator<Frame, void, undefined> {
    try {
      for (;;) {
        const frame = this.#take();
        if (frame !== undefined) yield frame;
        else if (this.#failure !== undefined) throw this.#failure;
        else if (this.signal.aborted) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#ignoring = true;
      this.#queue = [];
      this.#queuedBytes = 0;
      // The connection must go on flowing, or its end would not be noticed.
      this.#connection.resume();
    }
  }

  /** The bytes of the client's data frames until its end frame; fails if the client goes before. */
  upload(): Readable {
    return this.uploadOf(this.frames());
  }

  /** The same of frames that somebody reads on after it. */
  uploadOf(frames: AsyncGenerator<Frame, void>, { readOn = false } = {}): Readable {
    return Readable.from(uploadChunks(frames, readOn), { objectMode: false, highWaterMark: highWater });
  }

  /** Splits what is longer than a frame may be; waits while the client is slow. */
  async send(kind: FrameKind, payload: Uint8Array): Promise<void> {
    let start = 0;
    do {
      await this.#write(encodeFrame(kind, payload.subarray(start, start + maxFramePayload)));
      start += maxFramePayload;
    } while (start < payload.length);
  }

  sendJson(kind: FrameKind, value: unknown): Promise<void> {
    return this.#write(encodeJsonFrame(kind, value));
  }

  /** For what a slow client can do without. */
  sendIfReady(kind: FrameKind, value: unknown): void {
    if (this.signal.aborted || this.#connection.writableLength > highWater) return;
    this.#connection.write(encodeJsonFrame(kind, value));
  }

  /** The last frame: a result, or the reason why there is none. */
  async finish(outcome: { readonly result: unknown } | { readonly error: UniError }): Promise<void> {
    if (this.signal.aborted) return;
    if ("error" in outcome) await this.sendJson(frameKinds.error, toErrorBody(outcome.error));
    else await this.sendJson(frameKinds.result, outcome.result ?? null);
  }

  #take(): Frame | undefined {
    const frame = this.#queue.shift();
    if (frame === undefined) return undefined;
    this.#queuedBytes -= frame.payload.length + 1;
    if (this.#queuedBytes <= highWater) this.#connection.resume();
    return frame;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.signal.throwIfAborted();
    if (!this.#connection.write(bytes)) await once(this.#connection, "drain", { signal: this.signal });
  }
}

async function* uploadChunks(
  frames: AsyncGenerator<Frame, void>,
  readOn: boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  let isWhole = false;
  try {
    for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
      const { kind, payload } = next.value;
      isWhole = kind === frameKinds.end;
      if (isWhole) return;
      if (kind !== frameKinds.data) {
        throw new UniError("malformed", `receive an upload: unexpected frame kind ${kind}`);
      }
      if (payload.length > 0) yield payload;
    }
  } finally {
    if (!(readOn && isWhole)) await frames.return();
  }
  throw new UniError("unreachable", "receive an upload: the client went away before its end");
}
