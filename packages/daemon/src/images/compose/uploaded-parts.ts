/** Parts of images made of what is uploaded: a program, a program with what it needs, or a root file system. */
import { readElf } from "@uni/contract/elf";
import { UniError } from "@uni/contract/errors";
import { type ByteSource, chunksOf, fileSource } from "../byte-source.ts";
import { receivePlain } from "../load-archive.ts";
import type { ImageOptions } from "../port.ts";
import { parseReference } from "../reference.ts";
import type { Room } from "../room.ts";
import { rootAsTar } from "../root-archive/as-tar.ts";
import { writeTar } from "../tar-writer.ts";
import { type Hold, madePart, storeLayer } from "./made-part.ts";
import type { Part } from "./part.ts";
import { skeleton } from "./skeleton.ts";

export interface Upload {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Of the image that it is for. */
  readonly reference: string;
}

export interface ProgramPart extends Part {
  /** In the image. */
  readonly path: string;
}

/** The program is put into /bin under the last part of the image's name. */
export async function elfPart(
  room: Room,
  { bytes, reference }: Upload,
  hold: Hold,
  options: ImageOptions,
): Promise<ProgramPart> {
  options.onProgress({ step: "context", message: "receiving the program" });
  await using received = await receivePlain(room, bytes, options);
  const source = fileSource(received.file.handle, received.size);
  await checkElf(source, room.architecture, reference);
  const name = parseReference(reference).name.split("/").at(-1) ?? "program";
  const path = `bin/${name.slice(0, 90)}`;
  const tar = writeTar([
    ...skeleton,
    { name: path, mode: 0o755, size: source.size, content: chunksOf(source) },
  ]);
  const layer = await storeLayer(room, tar, hold, options);
  return { ...madePart(room, [layer]), path: `/${path}` };
}

async function checkElf(source: ByteSource, architecture: string, reference: string): Promise<void> {
  const what = `make image "${reference}" from a program`;
  const elf = await readElf(source);
  if (elf === undefined || !elf.executable) {
    throw new UniError(
      "image_invalid",
      `${what}: ${elf === undefined ? "no ELF file" : "not an executable"}`,
      {
        hint: "Give a statically linked Linux program, a directory with a Dockerfile, or an image archive.",
      },
    );
  }
  if (elf.machine !== architecture) {
    throw new UniError(
      "image_invalid",
      `${what}: it is for ${elf.machine}, this machine is ${architecture}`,
      {
        hint: `Compile it for linux/${architecture}.`,
      },
    );
  }
  if (elf.interpreter === undefined && elf.libraries.length === 0) return;
  const loader = elf.interpreter === undefined ? [] : [`the loader ${elf.interpreter}`];
  const needs = [...loader, ...elf.libraries].join(", ");
  throw new UniError("elf_dynamic", `${what}: it is dynamically linked and needs ${needs}`, {
    hint: "Say --with-libs to have them copied into the image, or link it statically (-static; CGO_ENABLED=0; a musl target).",
  });
}

/** The skeleton is a layer of its own: all programs share it. */
export async function programPart(
  room: Room,
  { bytes }: Upload,
  hold: Hold,
  options: ImageOptions,
): Promise<Part> {
  options.onProgress({ step: "context", message: "receiving the program" });
  const below = await storeLayer(room, writeTar(skeleton), hold, options);
  await using received = await receivePlain(room, bytes, options);
  const files = chunksOf(fileSource(received.file.handle, received.size));
  return madePart(room, [below, await storeLayer(room, files, hold, options)]);
}

export async function rootPart(
  room: Room,
  { bytes }: Upload,
  hold: Hold,
  options: ImageOptions,
): Promise<Part> {
  options.onProgress({ step: "context", message: "receiving the root" });
  await using received = await receivePlain(room, bytes, options);
  const source = fileSource(received.file.handle, received.size);
  const { bytes: tar, maxBytes } = await rootAsTar(source, room.limits, options.signal);
  return madePart(room, [await storeLayer(room, tar, hold, { signal: options.signal, maxBytes })]);
}
