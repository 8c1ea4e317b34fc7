/** From an uploaded context to a part of an image: unpack it safely, hand it to a builder, take what comes out. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { type LaidOutBase, layOutBases, type Supply } from "./base-images.ts";
import type { Builder, BuilderRequest, BuilderResult } from "./builder.ts";
import { type ByteSource, fileSource } from "./byte-source.ts";
import type { Hold } from "./compose/made-part.ts";
import type { Part } from "./compose/part.ts";
import { storedPart } from "./compose/stored-part.ts";
import { directoryDescriptor, directorySource } from "./directory-source.ts";
import { isNoSpace, noSpace } from "./disk-space.ts";
import { baseImages } from "./dockerfile.ts";
import { extractTree } from "./extract.ts";
import { readFileRange } from "./file-content.ts";
import { loadArchive, receivePlain } from "./load-archive.ts";
import { Merge } from "./merge.ts";
import { lookUp } from "./missing-libraries.ts";
import type { BuildSource, ImageOptions } from "./port.ts";
import { splitName } from "./resolve-path.ts";
import type { Room } from "./room.ts";
import { readTar } from "./tar-reader.ts";
import type { DirectoryNode } from "./tree.ts";

type ContextSource = Extract<BuildSource, { kind: "context" }>;

export interface ContextInput {
  readonly context: Readable;
  readonly source: ContextSource;
  /** Of the image that it is for. */
  readonly reference: string;
  /** Of the build's own directory, which the caller removes once the part is used. */
  readonly directory: string;
  readonly hold: Hold;
  readonly supply: Supply;
}

const maxDockerfileBytes = 1 << 20;
const secretName = /^[A-Za-z0-9_.-]{1,100}$/;
const argumentName = /^[A-Za-z_]\w{0,199}$/;

export async function contextPart(
  room: Room,
  builders: readonly Builder[],
  { context, source, reference, directory, hold, supply }: ContextInput,
  options: ImageOptions,
): Promise<Part> {
  checkSource(source);
  const builder = await chooseBuilder(builders);
  options.onProgress({ step: "context", message: "receiving the build context" });
  try {
    const dockerfile = await unpack(room, context, { path: source.dockerfile, directory }, options);
    const names = baseImages(dockerfile, source.buildArgs);
    const bases = await layOutBases(room, { names, builder, supply, hold, directory }, options);
    await pinBases(join(directory, "Dockerfile"), dockerfile, bases);
    const result = await builder.build({
      reference,
      contextDirectory: join(directory, "context"),
      dockerfilePath: join(directory, "Dockerfile"),
      target: source.target,
      buildArgs: source.buildArgs,
      secretFiles: await writeSecrets(source.secrets, directory),
      baseImages: bases,
      noCache: source.noCache,
      workDirectory: await subdirectory(directory, "builder"),
      signal: options.signal,
      onLine: ({ text, step }) => options.onProgress({ step: "build", message: text, ...step }),
    } satisfies BuilderRequest);
    return await partOfResult(room, result, { reference, hold, supply }, options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (isNoSpace(error)) throw noSpace("unpack the build context", 1, undefined, error);
    throw error;
  }
}

function checkSource({ buildArgs, secrets, target }: ContextSource): void {
  for (const name of Object.keys(buildArgs)) {
    if (!argumentName.test(name))
      throw new UniError("invalid_value", `build: "${name}" is no name of an argument`);
  }
  for (const id of Object.keys(secrets)) {
    if (!secretName.test(id)) throw new UniError("invalid_value", `build: "${id}" is no name of a secret`);
  }
  if (target?.startsWith("-"))
    throw new UniError("invalid_value", `build: "${target}" is no name of a stage`);
}

async function chooseBuilder(builders: readonly Builder[]): Promise<Builder> {
  const problems: string[] = [];
  for (const builder of builders) {
    const problem = await builder.unavailable();
    if (problem === undefined) return builder;
    problems.push(problem);
  }
  throw new UniError("host_unfit", `build an image: ${problems.join(", ") || "no builder"}`, {
    hint: "Install buildah (apt-get install buildah), or start a Docker engine.",
  });
}

/**
 * Unpacks the context and puts the Dockerfile beside it, so that the builder reads what the context holds and not what
 * a link in it points at on this machine. Returns the Dockerfile's text.
 */
async function unpack(
  room: Room,
  upload: Readable,
  to: { readonly path: string; readonly directory: string },
  options: ImageOptions,
): Promise<string> {
  await using received = await receivePlain(room, upload, options);
  const source = fileSource(received.file.handle, received.size);
  const merge = new Merge({ limits: room.limits, whiteouts: false });
  await merge.add(readTar(source, room.limits));
  const dockerfile = await readDockerfile(merge.root, source, to.path);
  await writeFile(join(to.directory, "Dockerfile"), dockerfile, { mode: 0o600 });
  const directory = await subdirectory(to.directory, "context");
  await extractTree(merge.root, source, { directory, signal: options.signal });
  return dockerfile.toString("utf8");
}

async function readDockerfile(root: DirectoryNode, source: ByteSource, path: string): Promise<Buffer> {
  const name = splitName(Buffer.from(path, "utf8").toString("latin1")).join("/");
  const node = lookUp(root, name);
  if (node?.kind === "file" && node.size <= maxDockerfileBytes)
    return readFileRange(source, node, 0, node.size);
  const reason = node === undefined ? "it is not in the context" : "it is not a file of at most 1 MiB";
  throw new UniError("build_failed", `read the Dockerfile "${path}": ${reason}`, {
    hint: "Name the Dockerfile with --file, relative to the build context.",
  });
}

async function writeSecrets(
  secrets: Readonly<Record<string, Uint8Array>>,
  directory: string,
): Promise<Record<string, string>> {
  const place = await subdirectory(directory, "secrets");
  const paths: [string, string][] = [];
  for (const [index, [id, content]] of Object.entries(secrets).entries()) {
    const path = join(place, String(index));
    await writeFile(path, content, { mode: 0o600 });
    paths.push([id, path]);
  }
  return Object.fromEntries(paths);
}

/** A builder cannot be given an image under a digest: those get a name. */
async function pinBases(path: string, dockerfile: string, bases: readonly LaidOutBase[]): Promise<void> {
  const pinned = bases.filter(({ written }) => written.includes("@"));
  if (pinned.length === 0) return;
  const renamed = pinned.reduce(
    (text, { written, reference }) => text.replaceAll(written, reference),
    dockerfile,
  );
  await writeFile(path, renamed, { mode: 0o600 });
}

async function partOfResult(
  room: Room,
  result: BuilderResult,
  { reference, hold, supply }: Pick<ContextInput, "reference" | "hold" | "supply">,
  options: ImageOptions,
): Promise<Part> {
  if (result.kind === "directory") {
    return {
      descriptor: await directoryDescriptor(result.path),
      source: directorySource(result.path),
    };
  }
  const [digest] = await loadArchive(room, result.stream, undefined, options);
  if (digest === undefined)
    throw new UniError("build_failed", `build "${reference}": the builder made no image`);
  return storedPart(room, { reference: digest, use: "the result of a build", hold, supply }, options);
}

async function subdirectory(directory: string, name: string): Promise<string> {
  const path = join(directory, name);
  await mkdir(path, { mode: 0o700 });
  return path;
}
