/**
 * What turns a Dockerfile and its context into an image. A builder leaves nothing behind when it fails or is aborted,
 * except its cache, which it owns.
 */
import type { Readable } from "node:stream";

/** An image of the store that the Dockerfile starts from, as containers-image's `dir:` transport lays it out. */
export interface BaseImage {
  /** `name:tag`. */
  readonly reference: string;
  readonly directory: string;
}

export interface BuilderRequest {
  /** Name of the result, for messages. */
  readonly reference: string;
  /** Extracted, private to this build. */
  readonly contextDirectory: string;
  /** Outside the context. */
  readonly dockerfilePath: string;
  readonly target: string | undefined;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Files with the contents, readable by root only, removed by the caller. */
  readonly secretFiles: Readonly<Record<string, string>>;
  /** Files with private keys, likewise; or the one socket of an agent. */
  readonly sshFiles: Readonly<Record<string, readonly string[]>>;
  /** Directories by the names that the Dockerfile has for them; as private as the context. */
  readonly contexts: Readonly<Record<string, string>>;
  readonly baseImages: readonly BaseImage[];
  readonly noCache: boolean;
  /** Private to this build, of a short path, removed by the caller; a result may lie here. */
  readonly workDirectory: string;
  readonly signal: AbortSignal;
  readonly onLine: (line: OutputLine) => void;
}

export interface OutputLine {
  readonly text: string;
  /** The step that has begun, where the line says so. */
  readonly step?: { readonly current: number; readonly total: number };
}

/** A directory as containers-image's `dir:` transport writes it, or an archive that `load` would take. */
export type BuilderResult =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "archive"; readonly stream: Readable };

export interface Builder {
  readonly name: string;
  /** Undefined if it can build now, else what is missing. */
  unavailable(): Promise<string | undefined>;
  /** Whether it finds an image, `name:tag`, without being given it. */
  has(reference: string): Promise<boolean>;
  /** Fails with `build_failed`, naming the step and the last lines of output. */
  build(request: BuilderRequest): Promise<BuilderResult>;
  /** Removes what crashed builds have left; with `cache` the cache as well. Does nothing while a build runs. */
  prune(options: { readonly cache: boolean }): Promise<void>;
}

/** What is built and with what: the last arguments of a builder, as all of them take them. Of secrets there are paths alone. */
export function dockerfileArguments(request: BuilderRequest): string[] {
  const { buildArgs, secretFiles, sshFiles, contexts, target, dockerfilePath, contextDirectory } = request;
  return [
    ...Object.entries(buildArgs).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
    ...Object.entries(secretFiles).flatMap(([id, path]) => ["--secret", `id=${id},src=${path}`]),
    ...Object.entries(sshFiles).flatMap(([id, paths]) => ["--ssh", `${id}=${paths.join(",")}`]),
    ...Object.entries(contexts).flatMap(([name, path]) => ["--build-context", `${name}=${path}`]),
    ...(target === undefined ? [] : ["--target", target]),
    ...["--file", dockerfilePath, contextDirectory],
  ];
}
