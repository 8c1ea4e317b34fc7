/**
 * Frames on the unix socket after a JSON-RPC reply that opened a stream (VM.Exec, VM.Logs with follow, VM.CopyOut,
 * VM.CopyIn, Image.Build, Image.Load, Daemon.Events). Layout: kind u8, payload length u32 big endian, payload.
 * VM.Attach is the exception: its connection carries raw console bytes.
 */
export const frameKinds = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  /** JSON {rows, columns} */
  resize: 3,
  /** JSON {signal} */
  signal: 4,
  /** JSON result; the last frame of a stream that went well. */
  result: 5,
  /** Bytes of an upload or download (a tar or an archive). */
  data: 6,
  /** No more data or stdin will come from this side. */
  end: 7,
  /** JSON Progress */
  progress: 8,
  /** JSON ErrorBody; the last frame of a stream that failed. */
  error: 9,
  /** JSON event: an instance event or a log line. */
  event: 10,
} as const;

export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Uint8Array;
}

/** Longest payload a peer may send; a longer one is a protocol error. */
export const maxFramePayload = 1 << 20;

const headerLength = 5;
const kinds: ReadonlySet<number> = new Set(Object.values(frameKinds));

export function encodeFrame(kind: FrameKind, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerLength + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, payload.length);
  bytes.set(payload, headerLength);
  return bytes;
}

export function encodeJsonFrame(kind: FrameKind, value: unknown): Uint8Array {
  return encodeFrame(kind, new TextEncoder().encode(JSON.stringify(value)));
}

/** Splits bytes that arrive in any cut into frames. Throws RangeError on an unknown kind or an over-long payload. */
export class FrameDecoder {
  #pending = new Uint8Array(0);

  push(chunk: Uint8Array): Frame[] {
    let bytes = chunk;
    if (this.#pending.length > 0) {
      bytes = new Uint8Array(this.#pending.length + chunk.length);
      bytes.set(this.#pending);
      bytes.set(chunk, this.#pending.length);
    }
    const frames: Frame[] = [];
    let offset = 0;
    while (bytes.length - offset >= headerLength) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + offset, headerLength);
      const kind = view.getUint8(0);
      const length = view.getUint32(1);
      if (!kinds.has(kind)) throw new RangeError(`unknown stream frame kind ${kind}`);
      if (length > maxFramePayload) throw new RangeError(`stream frame of ${length} bytes is over the limit`);
      if (bytes.length - offset - headerLength < length) break;
      const start = offset + headerLength;
      frames.push({ kind: kind as FrameKind, payload: bytes.slice(start, start + length) });
      offset = start + length;
    }
    this.#pending = bytes.slice(offset);
    return frames;
  }
}
