import type { Socket } from "node:net";
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
import { errorFromBody } from "./wire-errors.ts";

export function jsonPayload(frame: Frame): unknown {
  return JSON.parse(Buffer.from(frame.payload).toString("utf8"));
}

/** Frames that may wait for a slow reader before the sender has to. */
const highWater = 1 << 20;

/**
 * A call whose connection carries frames after its reply. Iterate it once: it ends after the `result` frame (whose value
 * is then `result`) and throws the failure of an `error` frame. A slow reader slows the sender down.
 */
export class FrameStream<Result = unknown> {
  readonly #socket: Socket;
  readonly #method: string;
  readonly #signal: AbortSignal | undefined;
  readonly #decoder = new FrameDecoder();
  readonly #frames: Frame[] = [];
  #waitingBytes = 0;
  /** Set once nothing more will come. */
  #end: { readonly cause?: unknown } | undefined;
  #wake: () => void = () => {};
  #result: { readonly value: Result } | undefined;

  constructor(socket: Socket, method: string, signal?: AbortSignal) {
    this.#socket = socket;
    this.#method = method;
    this.#signal = signal;
    // Frames are taken as they come, not when they are asked for: Node drops what it holds when a connection is reset.
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (cause) => this.#finish({ cause }));
    socket.once("end", () => this.#finish({}));
    socket.once("close", () => this.#finish({}));
    const onAbort = () => socket.destroy();
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.once("close", () => signal?.removeEventListener("abort", onAbort));
    if (signal?.aborted) socket.destroy();
    else socket.resume();
  }

  /** What the `result` frame carried; only once the iteration is over. */
  get result(): Result {
    if (this.#result === undefined) throw new Error(`${this.#method} has no result yet`);
    return this.#result.value;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Frame, void, undefined> {
    try {
      for (;;) {
        this.#signal?.throwIfAborted();
        const frame = await this.#next();
        if (frame.kind === frameKinds.result) {
          this.#result = { value: jsonPayload(frame) as Result };
          return;
        }
        if (frame.kind === frameKinds.error)
          throw errorFromBody(jsonPayload(frame), `${this.#method} failed`);
        yield frame;
      }
    } finally {
      this.close();
    }
  }

  /** Resolves when the peer has room for more. */
  write(kind: FrameKind, payload: Uint8Array): Promise<void> {
    return this.#send(encodeFrame(kind, payload));
  }

  writeJson(kind: FrameKind, value: unknown): Promise<void> {
    return this.#send(encodeJsonFrame(kind, value));
  }

  /** Sends bytes of any length in frames of a legal length. */
  async writeAll(kind: FrameKind, bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += maxFramePayload) {
      await this.write(kind, bytes.subarray(offset, offset + maxFramePayload));
    }
  }

  /** Reads to the end for the sake of the result. */
  async finish(onFrame: (frame: Frame) => Promise<void> | void = () => {}): Promise<Result> {
    for await (const frame of this) await onFrame(frame);
    return this.result;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#frames.push(frame);
        this.#waitingBytes += frame.payload.length;
      }
    } catch (cause) {
      const message = `${this.#method}: the daemon broke the stream protocol`;
      this.#finish({ cause: new UniError("internal", message, { cause }) });
      this.#socket.destroy();
    }
    if (this.#waitingBytes > highWater) this.#socket.pause();
    this.#wake();
  }

  #finish(end: { readonly cause?: unknown }): void {
    this.#end ??= end;
    this.#wake();
  }

  async #next(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#waitingBytes -= frame.payload.length;
        if (this.#waitingBytes <= highWater) this.#socket.resume();
        return frame;
      }
      this.#signal?.throwIfAborted();
      if (this.#end !== undefined) throw this.#lost(this.#end.cause);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #lost(cause: unknown): UniError {
    if (cause instanceof UniError) return cause;
    return new UniError("unreachable", `${this.#method}: the connection to unid was lost`, {
      hint: "See whether the daemon still runs: uni info.",
      cause,
    });
  }

  #send(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) return Promise.reject(this.#lost(this.#end?.cause));
    if (socket.write(bytes)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onDrain = () => {
        socket.off("close", onClose);
        resolve();
      };
      const onClose = () => {
        socket.off("drain", onDrain);
        reject(this.#lost(this.#end?.cause));
      };
      socket.once("drain", onDrain);
      socket.once("close", onClose);
    });
  }
}
