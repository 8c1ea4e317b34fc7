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

/**
 * A call whose connection carries frames after its reply. Iterate it once: it ends after the `result` frame (whose value
 * is then `result`) and throws the failure of an `error` frame. A slow reader slows the sender down.
 */
export class FrameStream<Result = unknown> {
  readonly #socket: Socket;
  readonly #method: string;
  readonly #signal: AbortSignal | undefined;
  #failure: Error | undefined;
  #result: Result | undefined;

  constructor(socket: Socket, method: string, signal?: AbortSignal) {
    this.#socket = socket;
    this.#method = method;
    this.#signal = signal;
    socket.on("error", (error) => {
      this.#failure ??= error;
    });
    const onAbort = () => socket.destroy();
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.once("close", () => signal?.removeEventListener("abort", onAbort));
    if (signal?.aborted) socket.destroy();
  }

  /** What the `result` frame carried; only once the iteration is over. */
  get result(): Result {
    if (this.#result === undefined) throw new Error(`${this.#method} has no result yet`);
    return this.#result;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Frame, void, undefined> {
    const decoder = new FrameDecoder();
    try {
      for await (const chunk of this.#socket as AsyncIterable<Buffer>) {
        for (const frame of this.#decode(decoder, chunk)) {
          if (frame.kind === frameKinds.result) {
            this.#result = jsonPayload(frame) as Result;
            return;
          }
          if (frame.kind === frameKinds.error)
            throw errorFromBody(jsonPayload(frame), `${this.#method} failed`);
          yield frame;
        }
      }
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (error instanceof UniError) throw error;
      throw this.#lost(error);
    } finally {
      this.close();
    }
    this.#signal?.throwIfAborted();
    throw this.#lost(this.#failure);
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

  #decode(decoder: FrameDecoder, chunk: Buffer): Frame[] {
    try {
      return decoder.push(chunk);
    } catch (cause) {
      throw new UniError("internal", `${this.#method}: the daemon broke the stream protocol`, { cause });
    }
  }

  #lost(cause: unknown): UniError {
    return new UniError("unreachable", `${this.#method}: the connection to unid was lost`, {
      hint: "See whether the daemon still runs: uni info.",
      cause,
    });
  }

  #send(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) return Promise.reject(this.#lost(this.#failure));
    if (socket.write(bytes)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onDrain = () => {
        socket.off("close", onClose);
        resolve();
      };
      const onClose = () => {
        socket.off("drain", onDrain);
        reject(this.#lost(this.#failure));
      };
      socket.once("drain", onDrain);
      socket.once("close", onClose);
    });
  }
}
