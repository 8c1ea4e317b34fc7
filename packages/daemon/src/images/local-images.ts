/** Images that Uni puts together itself, of one layer: from a static program, or from a tar of a root file system. */
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { type ByteSource, chunksOf, fileSource } from "./byte-source.ts";
import { digestOf } from "./digest.ts";
import { readElf } from "./elf.ts";
import { encodeImageConfig } from "./image-config.ts";
import { importImage } from "./import-image.ts";
import { receivePlain, storedSource } from "./load-archive.ts";
import { makeManifest, type StoredBlob } from "./make-manifest.ts";
import type { ImageConfig, ImageOptions } from "./port.ts";
import { parseReference } from "./reference.ts";
import type { Room } from "./room.ts";
import type { ByteStream } from "./spool.ts";
import { writeTar } from "./tar-writer.ts";

const text = (content: string) => ({ size: content.length, content: [Buffer.from(content)] });
const directory = (name: string, mode = 0o755) => ({ name, mode, size: 0, content: [] });

/** What programs commonly expect of a root file system, and no more. */
const skeleton = [
  directory("bin/"),
  directory("dev/"),
  directory("etc/"),
  { name: "etc/group", mode: 0o644, ...text("root:x:0:\nnogroup:x:65534:\n") },
  {
    name: "etc/passwd",
    mode: 0o644,
    ...text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"),
  },
  directory("proc/"),
  directory("root/", 0o700),
  directory("run/"),
  directory("sys/"),
  directory("tmp/", 0o1777),
  directory("var/"),
];

/** The program is put into /bin under the last part of the image's name. */
export async function importElf(
  room: Room,
  program: AsyncIterable<Uint8Array>,
  reference: string,
  options: ImageOptions,
): Promise<Digest> {
  options.onProgress({ step: "context", message: "receiving the program" });
  await using received = await receivePlain(room, program, options);
  const source = fileSource(received.file.handle, received.size);
  await checkElf(source, room.architecture, reference);
  const name = parseReference(reference).name.split("/").at(-1) ?? "program";
  const path = `bin/${name.slice(0, 90)}`;
  const layer = writeTar([
    ...skeleton,
    { name: path, mode: 0o755, size: source.size, content: chunksOf(source) },
  ]);
  return await importLayer(room, layer, { reference, config: { entrypoint: [`/${path}`] } }, options);
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
    hint: "Link it statically (-static; CGO_ENABLED=0; a musl target), or build an image that brings its libraries.",
  });
}

export async function importRoot(
  room: Room,
  tar: AsyncIterable<Uint8Array>,
  image: { readonly reference: string; readonly config: Partial<ImageConfig> },
  options: ImageOptions,
): Promise<Digest> {
  options.onProgress({ step: "context", message: "receiving the root" });
  await using received = await receivePlain(room, tar, options);
  return await importLayer(room, chunksOf(fileSource(received.file.handle, received.size)), image, options);
}

async function importLayer(
  room: Room,
  tar: AsyncIterable<Uint8Array>,
  image: { readonly reference: string; readonly config: Partial<ImageConfig> },
  options: ImageOptions,
): Promise<Digest> {
  const releases: (() => void)[] = [];
  const store = (bytes: ByteStream, what: string): Promise<StoredBlob> =>
    room.blobs.ingest(bytes, {
      what,
      digest: undefined,
      size: undefined,
      maxBytes: room.limits.bytes,
      signal: options.signal,
      onDigest: (digest) => void releases.push(room.leases.hold([digest])),
    });
  try {
    const layer = await store(tar, "store a layer");
    const config = encodeImageConfig(fillConfig(image.config, room.architecture), [layer.digest]);
    const manifest = makeManifest(await store([config], "store a config"), [layer]);
    releases.push(room.leases.hold([digestOf(manifest.bytes)]));
    await store([manifest.bytes], "store a manifest");
    const { descriptor } = manifest;
    const references = [image.reference];
    return await importImage(room, { descriptor, source: storedSource(room), references }, options);
  } finally {
    for (const release of releases) release();
  }
}

function fillConfig(config: Partial<ImageConfig>, architecture: string): ImageConfig {
  return {
    entrypoint: [],
    cmd: [],
    env: {},
    user: "",
    workingDirectory: "",
    exposedPorts: [],
    labels: {},
    stopSignal: "",
    ...config,
    architecture,
  };
}
