import { open } from "node:fs/promises";
import { fileSource } from "../byte-source.ts";
import { holdImage } from "../hold-image.ts";
import type { ImageFiles } from "../port.ts";
import type { Room } from "../room.ts";
import { openImageFiles } from "./image-files.ts";

export async function openImage(room: Room, reference: string): Promise<ImageFiles> {
  await using stack = new AsyncDisposableStack();
  const { row } = stack.use(await holdImage(room, reference));
  const file = await open(room.roots.path(row.root), "r");
  stack.defer(() => file.close());
  const files = await openImageFiles(fileSource(file, (await file.stat()).size), room.limits);
  const held = stack.move();
  return { ...files, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
