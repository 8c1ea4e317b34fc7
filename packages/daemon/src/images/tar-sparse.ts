/** The four ways tar stores a file with holes (GNU tar manual, "Storing Sparse Files"). */
import type { ByteSource } from "./byte-source.ts";
import type { Extent } from "./tar-entry.ts";
import { readSize, type TarHeader, tarBlock, tarInvalid } from "./tar-header.ts";
import { type PaxValues, parseDecimal, paxInteger, paxText } from "./tar-pax.ts";

export interface SparseFile {
  readonly size: number;
  readonly extents: readonly Extent[];
  /** Where the member's data really starts and how long it is in the archive. */
  readonly dataStart: number;
}

interface Piece {
  readonly offset: number;
  readonly length: number;
}

const maxPieces = 1 << 17;

/** The old GNU format: the map is in the header and in blocks after it. `start` is the position after the header. */
export async function readOldSparse(
  source: ByteSource,
  header: TarHeader,
  start: number,
): Promise<SparseFile> {
  const pieces: Piece[] = [];
  takePieces(header.block, 386, 4, pieces);
  let position = start;
  let more = header.block[482] === 1;
  while (more) {
    const block = await source.read(position, tarBlock);
    if (block.length < tarBlock) throw tarInvalid("the archive ends inside a sparse map", header.name);
    takePieces(block, 0, 21, pieces);
    more = block[504] === 1;
    position += tarBlock;
  }
  const size = readSize(header.block, 483, 12);
  return { size, extents: place(pieces, size, position, header.size, header.name), dataStart: position };
}

/** The PAX formats 0.0, 0.1 and 1.0; undefined if the member is not sparse. */
export async function readPaxSparse(
  source: ByteSource,
  pax: PaxValues,
  start: number,
  stored: number,
): Promise<SparseFile | undefined> {
  const name = paxText(pax, "GNU.sparse.name") ?? "";
  if (paxText(pax, "GNU.sparse.major") === "1" && paxText(pax, "GNU.sparse.minor") === "0") {
    const size = paxInteger(pax, "GNU.sparse.realsize");
    if (size === undefined) throw tarInvalid("a sparse file has no size", name);
    const { pieces, dataStart } = await readMapInData(source, start, stored, name);
    const left = stored - (dataStart - start);
    return { size, extents: place(pieces, size, dataStart, left, name), dataStart };
  }
  const size = paxInteger(pax, "GNU.sparse.size");
  if (size === undefined) return undefined;
  const map = paxText(pax, "GNU.sparse.map");
  const numbers = map === undefined ? repeatedPairs(pax) : map === "" ? [] : map.split(",");
  return { size, extents: place(pair(numbers, name), size, start, stored, name), dataStart: start };
}

function repeatedPairs(pax: PaxValues): string[] {
  return pax.records
    .filter(([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
    .map(([, value]) => value.toString("latin1"));
}

/** Format 1.0: decimal numbers, one a line, before the data, padded to a block. */
async function readMapInData(source: ByteSource, start: number, stored: number, name: string) {
  let position = start;
  let text = "";
  const take = async (): Promise<string> => {
    let end = text.indexOf("\n");
    while (end === -1) {
      if (position - start >= stored || text.length > 64) throw tarInvalid("a sparse map is cut off", name);
      text += (await source.read(position, tarBlock)).toString("latin1");
      position += tarBlock;
      end = text.indexOf("\n");
    }
    const line = text.slice(0, end);
    text = text.slice(end + 1);
    return line;
  };
  const count = parseDecimal(await take(), "the length of a sparse map");
  if (count > maxPieces) throw tarInvalid(`a sparse map has more than ${maxPieces} pieces`, name);
  const numbers: string[] = [];
  for (let index = 0; index < count * 2; index++) numbers.push(await take());
  return { pieces: pair(numbers, name), dataStart: position };
}

function pair(numbers: readonly string[], name: string): Piece[] {
  if (numbers.length % 2 !== 0 || numbers.length > maxPieces * 2)
    throw tarInvalid("a sparse map is odd", name);
  const pieces: Piece[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    pieces.push({
      offset: parseDecimal(numbers[index] ?? "", "an offset in a sparse map"),
      length: parseDecimal(numbers[index + 1] ?? "", "a length in a sparse map"),
    });
  }
  return pieces;
}

function takePieces(block: Buffer, start: number, count: number, pieces: Piece[]): void {
  for (let index = 0; index < count; index++) {
    const at = start + index * 24;
    if ((block[at] ?? 0) === 0) return;
    pieces.push({ offset: readSize(block, at, 12), length: readSize(block, at + 12, 12) });
  }
  if (pieces.length > maxPieces) throw tarInvalid(`a sparse map has more than ${maxPieces} pieces`);
}

/** Gives each piece its place in the archive; pieces must ascend, stay within the file and use no more than is stored. */
function place(
  pieces: readonly Piece[],
  size: number,
  dataStart: number,
  stored: number,
  name: string,
): Extent[] {
  const extents: Extent[] = [];
  let position = dataStart;
  let end = 0;
  for (const { offset, length } of pieces) {
    if (offset < end || offset + length > size) throw tarInvalid("a sparse map leaves the file", name);
    if (position + length > dataStart + stored) throw tarInvalid("a sparse map leaves its data", name);
    if (length > 0) extents.push({ offset, length, position });
    position += length;
    end = offset + length;
  }
  return extents;
}
