import type { FileHandle } from "node:fs/promises";

/** Bytes that can be read at any position. A read past the end returns what there is. */
export interface ByteSource {
  readonly size: number;
  read(position: number, length: number): Promise<Buffer>;
}

export function bufferSource(bytes: Uint8Array): ByteSource {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { size: buffer.length, read: async (position, length) => slice(buffer, position, length) };
}

export function fileSource(file: FileHandle, size: number): ByteSource {
  return {
    size,
    async read(position, length) {
      const wanted = Math.max(0, Math.min(length, size - position));
      const buffer = Buffer.allocUnsafe(wanted);
      let filled = 0;
      while (filled < wanted) {
        const { bytesRead } = await file.read(buffer, filled, wanted - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    },
  };
}

/** A part of a source as a source of its own. */
export function partOf(source: ByteSource, start: number, size: number): ByteSource {
  return {
    size,
    read: (position, length) => source.read(start + position, Math.max(0, Math.min(length, size - position))),
  };
}

const windowBytes = 256 * 1024;

/** Serves small reads that go forward from one larger read. What it returns is only valid until the next read. */
export function windowed(source: ByteSource): ByteSource {
  let start = 0;
  let window: Buffer = Buffer.alloc(0);
  return {
    size: source.size,
    async read(position, length) {
      if (position >= start && position + length <= start + window.length) {
        return slice(window, position - start, length);
      }
      if (length >= windowBytes) return source.read(position, length);
      window = await source.read(position, windowBytes);
      start = position;
      return slice(window, 0, length);
    },
  };
}

export async function* chunksOf(source: ByteSource, chunkBytes = windowBytes): AsyncGenerator<Buffer> {
  for (let position = 0; position < source.size; position += chunkBytes) {
    yield await source.read(position, chunkBytes);
  }
}

function slice(buffer: Buffer, position: number, length: number): Buffer {
  return buffer.subarray(Math.min(position, buffer.length), Math.min(position + length, buffer.length));
}
