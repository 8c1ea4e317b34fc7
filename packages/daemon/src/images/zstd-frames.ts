/** Finds the frames of a zstd file by their headers (RFC 8878, section 3.1). Skippable frames are left out. */
import { UniError } from "@uni/contract/errors";
import { type ByteSource, windowed } from "./byte-source.ts";

export interface FrameRange {
  readonly start: number;
  readonly end: number;
}

const frameMagic = 0xfd2fb528;
const dictionaryBytes = [0, 1, 2, 4] as const;
const contentSizeBytes = [0, 2, 4, 8] as const;

export async function* scanZstdFrames(file: ByteSource): AsyncGenerator<FrameRange> {
  const source = windowed(file);
  let position = 0;
  while (position < source.size) {
    const head = await source.read(position, 8);
    if (head.length < 8) throw damaged("it ends inside a frame");
    const magic = head.readUInt32LE(0);
    if (magic >>> 4 === 0x184d2a5) {
      position += 8 + head.readUInt32LE(4);
      continue;
    }
    if (magic !== frameMagic) throw damaged("there is something else after a frame");
    const end = await frameEnd(source, position, head.readUInt8(4));
    yield { start: position, end };
    position = end;
  }
}

async function frameEnd(source: ByteSource, start: number, descriptor: number): Promise<number> {
  const single = (descriptor & 0x20) !== 0;
  const checksum = (descriptor & 0x04) !== 0;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 && single ? 1 : (contentSizeBytes[sizeFlag] ?? 0);
  let position = start + 5 + (single ? 0 : 1) + (dictionaryBytes[descriptor & 3] ?? 0) + sizeBytes;
  for (let last = false; !last; ) {
    const bytes = await source.read(position, 3);
    if (bytes.length < 3) throw damaged("it ends inside a frame");
    const block = bytes.readUIntLE(0, 3);
    last = (block & 1) === 1;
    const runLength = ((block >>> 1) & 3) === 1;
    position += 3 + (runLength ? 1 : block >>> 3);
  }
  position += checksum ? 4 : 0;
  if (position > source.size) throw damaged("it ends inside a frame");
  return position;
}

function damaged(reason: string): UniError {
  return new UniError("image_invalid", `read a zstd file: ${reason}`, {
    hint: "The archive is damaged or cut off; make or copy it again.",
  });
}
