import type { ByteSource } from "./byte-source.ts";
import { tarInvalid } from "./tar-header.ts";
import type { FileNode } from "./tree.ts";

type Content = Pick<FileNode, "size" | "extents">;

/** A part of a file; holes read as zeroes. */
export async function readFileRange(
  layer: ByteSource,
  node: Content,
  offset: number,
  length: number,
): Promise<Buffer> {
  const only = node.extents[0];
  if (only !== undefined && node.extents.length === 1 && only.offset === 0 && only.length === node.size) {
    return exactly(layer, only.position + offset, length);
  }
  const bytes = Buffer.alloc(length);
  for (let index = firstExtent(node, offset); index < node.extents.length; index++) {
    const extent = node.extents[index];
    if (extent === undefined || extent.offset >= offset + length) break;
    const from = Math.max(extent.offset, offset);
    const to = Math.min(extent.offset + extent.length, offset + length);
    if (from >= to) continue;
    const piece = await exactly(layer, extent.position + (from - extent.offset), to - from);
    piece.copy(bytes, from - offset);
  }
  return bytes;
}

/** Index of the first extent that ends after `offset`, found by halving: a file may have 100,000 of them. */
function firstExtent(node: Content, offset: number): number {
  let low = 0;
  let high = node.extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = node.extents[middle];
    if (extent !== undefined && extent.offset + extent.length <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function exactly(layer: ByteSource, position: number, length: number): Promise<Buffer> {
  const bytes = await layer.read(position, length);
  if (bytes.length < length) throw tarInvalid("the layer became shorter while it was read");
  return bytes;
}
