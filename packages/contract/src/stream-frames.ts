/**
 * Frames on the unix socket after a JSON-RPC reply that opened a stream: the methods of mode "frames", and VM.Logs with
 * follow. Layout: kind u8, payload length u32 big endian, payload. VM.Attach is the exception: its connection carries raw console bytes.
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
  /** Bytes of an upload or download (a tar or an archive), or of a tunnel. */
  data: 6,
  /** No more data or stdin will come from this side. */
  end: 7,
  /** JSON Progress */
  progress: 8,
  /** JSON ErrorBody; the last frame of a stream that failed. */
  error: 9,
  /** JSON event: an instance event or a log line. */
  event: 10,
  /** A request to the client's SSH agent, and its answer: one message without its length. */
  agent: 11,
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
  #chunks: Uint8Array[] = [];
  #length = 0;
  /** Bytes until anything more can be said: pieces of a large payload are not joined before the last one is there. */
  #needed = headerLength;

  push(chunk: Uint8Array): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return [];
    const bytes = this.#chunks.length === 1 ? chunk : join(this.#chunks, this.#length);
    const frames: Frame[] = [];
    let offset = 0;
    this.#needed = headerLength;
    while (bytes.length - offset >= headerLength) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + offset, headerLength);
      const kind = view.getUint8(0);
      const length = view.getUint32(1);
      if (!kinds.has(kind)) throw new RangeError(`unknown stream frame kind ${kind}`);
      if (length > maxFramePayload) throw new RangeError(`stream frame of ${length} bytes is over the limit`);
      this.#needed = headerLength + length;
      if (bytes.length - offset < this.#needed) break;
      const start = offset + headerLength;
      frames.push({ kind: kind as FrameKind, payload: bytes.subarray(start, start + length) });
      offset = start + length;
      this.#needed = headerLength;
    }
    const rest = bytes.subarray(offset);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return frames;
  }
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}
