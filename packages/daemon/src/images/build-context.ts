/** From an uploaded context to a part of an image: unpack it safely, hand it to a builder, take what comes out. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { contextNamePattern } from "@uni/contract/limits";
import { furtherContexts } from "@uni/contract/rpc-params";
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
import { serveAgent } from "./ssh-agent.ts";
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
const contextName = new RegExp(contextNamePattern);
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
    const { dockerfile, contexts } = await unpack(room, context, { source, directory }, options);
    const names = baseImages(dockerfile, source.buildArgs, source.contexts);
    const bases = await layOutBases(room, { names, builder, supply, hold, directory }, options);
    await pinBases(join(directory, "Dockerfile"), dockerfile, bases);
    const secrets = await writeSecrets(source, directory);
    await using agent = await openAgent(source, directory);
    const result = await builder.build({
      reference,
      contextDirectory: join(directory, "context"),
      dockerfilePath: join(directory, "Dockerfile"),
      target: source.target,
      buildArgs: source.buildArgs,
      secretFiles: secrets.secretFiles,
      sshFiles: { ...secrets.sshFiles, ...agent.sshFiles },
      contexts,
      baseImages: bases,
      noCache: source.noCache,
      // Itself, and none below it: buildah's sockets for keys have names of 42 bytes.
      workDirectory: directory,
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

function checkSource({ buildArgs, secrets, ssh, agent, contexts, target }: ContextSource): void {
  for (const name of Object.keys(buildArgs)) {
    if (!argumentName.test(name))
      throw new UniError("invalid_value", `build: "${name}" is no name of an argument`);
  }
  for (const id of Object.keys(secrets)) {
    if (!secretName.test(id)) throw new UniError("invalid_value", `build: "${id}" is no name of a secret`);
  }
  for (const id of [...Object.keys(ssh), ...(agent?.ids ?? [])]) {
    if (!secretName.test(id)) throw new UniError("invalid_value", `build: "${id}" is no name of keys`);
  }
  for (const name of contexts) {
    if (!contextName.test(name))
      throw new UniError("invalid_value", `build: "${name}" is no name of a context`);
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
 * Unpacks the context, and the further ones beside it, and puts the Dockerfile beside those, so that the builder reads what the
 * context holds and not what a link in it points at on this machine. Returns the Dockerfile's text.
 */
async function unpack(
  room: Room,
  upload: Readable,
  { source: { dockerfile: path, contexts: names }, directory }: UnpackTo,
  options: ImageOptions,
): Promise<{ readonly dockerfile: string; readonly contexts: Readonly<Record<string, string>> }> {
  await using received = await receivePlain(room, upload, options);
  const source = fileSource(received.file.handle, received.size);
  const merge = new Merge({ limits: room.limits, whiteouts: false });
  await merge.add(readTar(source, room.limits));
  const further = takeContexts(merge.root, names);
  const dockerfile = await readDockerfile(merge.root, source, path);
  await writeFile(join(directory, "Dockerfile"), dockerfile, { mode: 0o600 });
  const { signal } = options;
  await extractTree(merge.root, source, { directory: await subdirectory(directory, "context"), signal });
  const contexts: [string, string][] = [];
  for (const [index, [name, root]] of further.entries()) {
    const place = await subdirectory(directory, `context-${index}`);
    await extractTree(root, source, { directory: place, signal });
    contexts.push([name, place]);
  }
  return { dockerfile: dockerfile.toString("utf8"), contexts: Object.fromEntries(contexts) };
}

interface UnpackTo {
  readonly source: Pick<ContextSource, "dockerfile" | "contexts">;
  readonly directory: string;
}

/** They are no part of the context that they came with. */
function takeContexts(root: DirectoryNode, names: readonly string[]): (readonly [string, DirectoryNode])[] {
  if (names.length === 0) return [];
  const all = root.children.get(furtherContexts)?.node;
  root.children.delete(furtherContexts);
  return [...new Set(names)].map((name) => {
    const node = all?.kind === "directory" ? all.children.get(name)?.node : undefined;
    if (node?.kind === "directory") return [name, node];
    throw new UniError("invalid_value", `build: the context "${name}" was not sent along`);
  });
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

/** Names of files say nothing of what is in them, nor do the builder's arguments. */
async function writeSecrets(
  { secrets, ssh }: Pick<ContextSource, "secrets" | "ssh">,
  directory: string,
): Promise<Pick<BuilderRequest, "secretFiles" | "sshFiles">> {
  const place = await subdirectory(directory, "secrets");
  let count = 0;
  const write = async (content: Uint8Array): Promise<string> => {
    const path = join(place, String(count++));
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const secretFiles: Record<string, string> = {};
  for (const [id, content] of Object.entries(secrets)) secretFiles[id] = await write(content);
  const sshFiles: Record<string, string[]> = {};
  for (const [id, keys] of Object.entries(ssh)) {
    sshFiles[id] = [];
    for (const key of keys) sshFiles[id].push(await write(key));
  }
  return { secretFiles, sshFiles };
}

/** For as long as the build runs. */
async function openAgent(
  { agent }: Pick<ContextSource, "agent">,
  directory: string,
): Promise<Pick<BuilderRequest, "sshFiles"> & AsyncDisposable> {
  if (agent === undefined) return { sshFiles: {}, async [Symbol.asyncDispose]() {} };
  const path = join(directory, "agent");
  const server = await serveAgent(path, agent.ask);
  const sshFiles = Object.fromEntries(agent.ids.map((id) => [id, [path]]));
  return { sshFiles, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
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
