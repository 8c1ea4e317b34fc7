/**
 * The guest's bytes cut into frames. They are hostile: every length is bounded before anything is kept, and whatever is
 * no frame ends the channel. Before the agent's answer to our hello there may be bytes of an older session: they are
 * skipped, up to a limit, until our own random token shows that the answer has begun.
 */
import {
  frameHeader,
  helloMagic,
  logAnew,
  maxToGuest,
  maxToHost,
  ProtocolError,
  tagLength,
  tokenLength,
} from "./wire.ts";

export interface WireFrame {
  readonly id: number;
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** The kernel's port may hold 4 MiB of an older session, the socket a little more. */
const maxStale = 16 << 20;
const overhead = frameHeader + tagLength;

/** A hello, behind enough zeros to end any frame that an older host left torn (see native/guest/src/frames.h). */
export function encodeHello(token: Buffer, logOffset: number | "anew"): Buffer {
  const offset = Buffer.alloc(8);
  offset.writeBigUInt64LE(logOffset === "anew" ? logAnew : BigInt(logOffset));
  return Buffer.concat([Buffer.alloc(overhead + maxToGuest), helloMagic, token, offset]);
}

export function encodeFrame(frame: WireFrame, token: Buffer): Buffer {
  const bytes = Buffer.alloc(overhead + frame.payload.length);
  bytes.writeUInt16LE(frame.id);
  bytes.writeUInt8(frame.type, 2);
  bytes.writeUInt8(frame.flags, 3);
  bytes.writeUInt32LE(frame.payload.length, 4);
  frame.payload.copy(bytes, frameHeader);
  token.copy(bytes, frameHeader + frame.payload.length, 0, tagLength);
  return bytes;
}

export class FrameReader {
  readonly #token: Buffer;
  readonly #greeting: Buffer;
  readonly #maxPayload: number;
  #pending: Buffer = Buffer.alloc(0);
  #stale = 0;
  #synced = false;

  constructor(token: Buffer, maxPayload = maxToHost) {
    if (token.length !== tokenLength) throw new RangeError(`a token has ${tokenLength} bytes`);
    this.#token = token;
    this.#greeting = Buffer.concat([helloMagic, token]);
    this.#maxPayload = maxPayload;
  }

  /** True once the agent answered our hello. */
  get synced(): boolean {
    return this.#synced;
  }

  /** The frames that `chunk` completes. Payloads are views: copy what outlives the next push. Throws ProtocolError. */
  push(chunk: Buffer): WireFrame[] {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    if (!this.#synced) {
      bytes = this.#hunt(bytes);
      if (!this.#synced) {
        this.#pending = Buffer.from(bytes);
        return [];
      }
    }
    const frames: WireFrame[] = [];
    let at = 0;
    for (;;) {
      const frame = this.#frameAt(bytes, at);
      if (frame === undefined) break;
      frames.push(frame);
      at += overhead + frame.payload.length;
    }
    this.#pending = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
    return frames;
  }

  #hunt(bytes: Buffer): Buffer {
    const found = bytes.indexOf(this.#greeting);
    if (found >= 0) {
      this.#synced = true;
      return bytes.subarray(found + this.#greeting.length);
    }
    const keep = Math.min(bytes.length, this.#greeting.length - 1);
    this.#stale += bytes.length - keep;
    if (this.#stale > maxStale) throw new ProtocolError("too many bytes before the agent's answer");
    return bytes.subarray(bytes.length - keep);
  }

  #frameAt(bytes: Buffer, at: number): WireFrame | undefined {
    const left = bytes.length - at;
    if (left < frameHeader) return undefined;
    const length = bytes.readUInt32LE(at + 4);
    if (length > this.#maxPayload) throw new ProtocolError(`a frame of ${length} bytes is over the limit`);
    if (left < overhead + length) return undefined;
    const start = at + frameHeader;
    if (bytes.compare(this.#token, 0, tagLength, start + length, start + length + tagLength) !== 0) {
      throw new ProtocolError("a frame does not end with the session's tag");
    }
    return {
      id: bytes.readUInt16LE(at),
      type: bytes.readUInt8(at + 2),
      flags: bytes.readUInt8(at + 3),
      payload: bytes.subarray(start, start + length),
    };
  }
}
