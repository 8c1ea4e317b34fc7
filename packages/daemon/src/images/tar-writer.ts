/** Writes the small tar archives that Uni itself makes into layers. The same members give the same bytes. */
import { tarBlock } from "./tar-header.ts";

export interface TarMember {
  /** ASCII, at most 100 bytes; a directory's ends in a slash. */
  readonly name: string;
  readonly mode: number;
  readonly size: number;
  readonly content: AsyncIterable<Uint8Array> | readonly Uint8Array[];
}

export async function* writeTar(members: readonly TarMember[]): AsyncGenerator<Uint8Array> {
  for (const { name, mode, size, content } of members) {
    yield encodeHeader(name, mode, size);
    yield* content;
    yield Buffer.alloc((tarBlock - (size % tarBlock)) % tarBlock);
  }
  yield Buffer.alloc(2 * tarBlock);
}

function encodeHeader(name: string, mode: number, size: number): Buffer {
  if (name.length > 100) throw new RangeError(`the name ${name} is too long for a tar header`);
  const block = Buffer.alloc(tarBlock);
  block.write(name, 0, "latin1");
  writeOctal(block, mode, 100, 8);
  writeOctal(block, 0, 108, 8);
  writeOctal(block, 0, 116, 8);
  writeOctal(block, size, 124, 12);
  writeOctal(block, 0, 136, 12);
  block.write(name.endsWith("/") ? "5" : "0", 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function writeOctal(block: Buffer, value: number, offset: number, length: number): void {
  const text = value.toString(8).padStart(length - 1, "0");
  if (text.length >= length) throw new RangeError(`${value} is too large for a tar header`);
  block.write(text, offset, "latin1");
}
