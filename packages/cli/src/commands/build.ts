import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { RpcParams } from "@uni/contract/rpc-methods";
import { uploadTo } from "@uni/sdk/upload";
import type { Context } from "../context.ts";
import { type CommandModule, collect } from "../define.ts";
import { packTree } from "../files/pack.ts";
import { type BuildSource, findBuildSource, referenceFor } from "../parse/build-source.ts";
import { parseWords } from "../parse/command-words.ts";
import { readEnvironment } from "../parse/environment.ts";
import { readSecrets } from "../parse/secrets.ts";
import { progressLines } from "../progress-lines.ts";
import { printable } from "../render/escape.ts";
import { formatBytes } from "../render/units.ts";

interface BuildOptions {
  readonly tag?: string;
  readonly file?: string;
  readonly buildArg?: readonly string[];
  readonly target?: string;
  readonly secret?: readonly string[];
  readonly cache: boolean;
  readonly rootfs?: boolean;
  readonly entrypoint?: string;
  readonly cmd?: string;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
}

const dayMs = 86_400_000;

function imageConfig({ entrypoint, cmd, env, user, workdir }: BuildOptions, own: NodeJS.ProcessEnv) {
  const config = {
    ...(entrypoint === undefined ? {} : { entrypoint: parseWords(entrypoint, "--entrypoint") }),
    ...(cmd === undefined ? {} : { cmd: parseWords(cmd, "--cmd") }),
    ...(env === undefined ? {} : { env: readEnvironment(env, undefined, own) }),
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { working_directory: workdir }),
  };
  return Object.keys(config).length === 0 ? {} : { config };
}

function buildParams(
  source: BuildSource,
  reference: string,
  options: BuildOptions,
  env: NodeJS.ProcessEnv,
): RpcParams<"Image.Build"> {
  const { target, buildArg, secret, cache } = options;
  return {
    kind: source.kind,
    reference,
    ...(source.kind === "context" ? { dockerfile: source.dockerfile } : {}),
    ...imageConfig(options, env),
    ...(target === undefined ? {} : { target }),
    ...(buildArg === undefined ? {} : { build_args: readEnvironment(buildArg, undefined, env) }),
    ...(secret === undefined ? {} : { secrets: readSecrets(secret, env) }),
    ...(cache ? {} : { no_cache: true }),
  };
}

interface Upload {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Says what was sent, once all of it was. */
  readonly summary: Promise<string>;
}

function openUpload({ out, signal }: Context, source: BuildSource): Upload {
  if (source.kind === "elf") {
    const summary = stat(source.path).then(({ size }) => `the program, ${formatBytes(size)}`);
    return { bytes: createReadStream(source.path), summary };
  }
  const outside = source.kind === "context" ? source.outside : undefined;
  const { tar, done } = packTree(source.path, {
    top: ".",
    followTop: true,
    extra: outside === undefined ? [] : [{ path: outside, name: ".uni-dockerfile" }],
    onSkip: (path, reason) => out.stderr.write(`Left out ${printable(path)}: ${reason}\n`),
    signal,
  });
  const what = source.kind === "root" ? "the root file system" : "the build context";
  const summary = done.then(({ bytes, entries }) => `${what}, ${formatBytes(bytes)} in ${entries} entries`);
  return { bytes: tar, summary };
}

export const build: CommandModule = {
  examples: [
    "uni build . -t web:1.2",
    "uni build ./app -t app -f app.Dockerfile --build-arg VERSION=3 --target release",
    "uni build . -t app --secret id=token,src=token.txt --no-cache",
    "uni build ./server -t server               a static ELF program",
    "uni build ./rootfs -t tiny --rootfs --entrypoint /bin/app",
  ],
  define(command, act) {
    command
      .argument("<path>", "directory with a Dockerfile, static ELF program, or root directory")
      .option("-t, --tag <name[:tag]>", "name of the image (default: made from the path)")
      .option("-f, --file <path>", "the Dockerfile")
      .option("--build-arg <key=value>", "value of an ARG; KEY alone hands yours on; repeatable", collect)
      .option("--target <stage>", "stop at this stage")
      .option("--secret <id=name,src=file>", "file for RUN --mount=type=secret; repeatable", collect)
      .option("--no-cache", "build every step anew")
      .option("--rootfs", "the directory is a root file system")
      .option("--entrypoint <words>", "entry point of a root file system: words, or a JSON array")
      .option("--cmd <words>", "its default arguments")
      .option("-e, --env <key=value>", "its environment; repeatable", collect)
      .option("-u, --user <user[:group]>", "its user")
      .option("-w, --workdir <path>", "its working directory")
      .action(
        act(async (context, path: string, options: BuildOptions) => {
          const { client, out, env, signal } = context;
          const source = findBuildSource(path, options);
          const reference = options.tag ?? referenceFor(path);
          const params = buildParams(source, reference, options, env);
          const stream = await client.open("Image.Build", params, { signal, timeoutMs: dayMs });
          const progress = progressLines(out, `sending ${path}`);
          try {
            const { bytes, summary } = openUpload(context, source);
            void summary.then(
              (text) => {
                out.note(`Sent ${text}.`);
                progress.update(`building ${reference}`);
              },
              () => {},
            );
            const image = await uploadTo(stream, bytes, progress.onFrame);
            progress.done();
            const name = image.references.find((known) => known.startsWith(reference)) ?? reference;
            await out.show(image, {
              text: () => `${image.digest}  ${printable(name)}\n`,
              names: () => [image.digest],
            });
          } catch (error) {
            throw progress.shorten(error);
          } finally {
            progress.done();
          }
        }),
      );
  },
};
