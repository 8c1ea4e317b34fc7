import { architectureOf } from "@uni/contract/architecture";
import { UniError } from "@uni/contract/errors";
import type { ImageDetail } from "@uni/contract/rpc";
import type { RpcParams } from "@uni/contract/rpc-methods";
import { frameKinds } from "@uni/contract/stream-frames";
import { uploadTo } from "@uni/sdk/upload";
import { checkArchitecture } from "../build/architecture.ts";
import { type Destinations, destinationOf, readDestinations } from "../build/destinations.ts";
import { type FurtherContext, placeOf, readFurtherContexts } from "../build/further-contexts.ts";
import { planBuild } from "../build/plan.ts";
import type { BuildConfig, PlannedBuild } from "../build/planned.ts";
import { openUpload } from "../build/send.ts";
import { askAgent } from "../build/ssh-agent.ts";
import type { Context } from "../context.ts";
import { type CommandModule, collect } from "../define.ts";
import { parseWords } from "../parse/command-words.ts";
import { readEnvironment } from "../parse/environment.ts";
import { readSecrets } from "../parse/secrets.ts";
import { readSsh, type SshSources } from "../parse/ssh.ts";
import { progressLines } from "../progress-lines.ts";
import { pushImage } from "../push-image.ts";
import { printable } from "../render/escape.ts";
import { formatBytes } from "../render/units.ts";
import { saveArchive } from "../save-archive.ts";

interface BuildOptions {
  readonly tag?: string;
  readonly output?: readonly string[];
  readonly file?: string;
  readonly buildArg?: readonly string[];
  readonly target?: string;
  readonly secret?: readonly string[];
  readonly ssh?: readonly string[];
  readonly buildContext?: readonly string[];
  readonly cache: boolean;
  readonly arch?: string;
  readonly platform?: string;
  readonly rootfs?: boolean;
  readonly withLibs?: boolean;
  readonly include?: readonly string[];
  readonly entrypoint?: string;
  readonly cmd?: string;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
}

const dayMs = 86_400_000;

/** What the command line says goes over what a Kraftfile says. */
function imageConfig(options: BuildOptions, before: BuildConfig, own: NodeJS.ProcessEnv): BuildConfig {
  const { entrypoint, cmd, env, user, workdir } = options;
  return {
    ...before,
    ...(entrypoint === undefined ? {} : { entrypoint: parseWords(entrypoint, "--entrypoint") }),
    ...(entrypoint === undefined || cmd !== undefined ? {} : { cmd: [] }),
    ...(cmd === undefined ? {} : { cmd: parseWords(cmd, "--cmd") }),
    ...(env === undefined ? {} : { env: { ...before.env, ...readEnvironment(env, undefined, own) } }),
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { working_directory: workdir }),
  };
}

/** With what its options name read. */
interface ReadOptions extends Omit<BuildOptions, "ssh" | "buildContext"> {
  readonly ssh: SshSources;
  readonly contexts: readonly FurtherContext[];
}

const readOptions = (
  { ssh = [], buildContext = [], ...options }: BuildOptions,
  env: NodeJS.ProcessEnv,
): ReadOptions => ({ ...options, ssh: readSsh(ssh, env), contexts: readFurtherContexts(buildContext) });

function buildParams(
  { reference, params }: PlannedBuild,
  options: ReadOptions,
  env: NodeJS.ProcessEnv,
): RpcParams<"Image.Build"> {
  const config = params.config ?? {};
  return {
    ...params,
    reference,
    ...(Object.keys(config).length === 0 ? { config: undefined } : {}),
    ...(params.kind === "context" ? dockerfileParams(options, env) : {}),
  };
}

function dockerfileParams(
  { target, buildArg, secret, ssh, contexts, cache }: ReadOptions,
  env: NodeJS.ProcessEnv,
) {
  return {
    ...(contexts.length === 0 ? {} : { contexts: contexts.map(({ name }) => name) }),
    ...sshParams(ssh),
    ...(target === undefined ? {} : { target }),
    ...(buildArg === undefined ? {} : { build_args: readEnvironment(buildArg, undefined, env) }),
    ...(secret === undefined ? {} : { secrets: readSecrets(secret, env) }),
    ...(cache ? {} : { no_cache: true }),
  };
}

const sshParams = ({ keys, agentIds }: SshSources) => ({
  ...(Object.keys(keys).length === 0 ? {} : { ssh: keys as Record<string, string[]> }),
  ...(agentIds.length === 0 ? {} : { ssh_agent: [...agentIds] }),
});

/** Options that mean something to a Dockerfile alone. */
function refuseIdle(options: BuildOptions, builds: readonly PlannedBuild[]): void {
  if (builds.some(({ params }) => params.kind === "context")) return;
  const { target, buildArg, secret, ssh, buildContext, cache } = options;
  const given = Object.entries({
    target,
    "build-arg": buildArg,
    secret,
    ssh,
    "build-context": buildContext,
    "no-cache": cache ? undefined : true,
  });
  const [idle] = given.find(([, value]) => value !== undefined) ?? [];
  if (idle === undefined) return;
  throw new UniError("exclusive", `building: --${idle} means something to a Dockerfile, and none is built`);
}

interface Built {
  readonly image: ImageDetail;
  readonly name: string;
  readonly suffix: string | undefined;
}

/** Further contexts go along with that of a Dockerfile. */
function withContexts(build: PlannedBuild, { contexts }: ReadOptions): PlannedBuild {
  const { params, upload } = build;
  if (params.kind !== "context" || upload.kind !== "tree") return build;
  const extra = [...(upload.extra ?? []), ...contexts.map(placeOf)];
  return { ...build, upload: { ...upload, extra } };
}

async function buildOne(context: Context, build: PlannedBuild, options: ReadOptions): Promise<Built> {
  const { client, out, env, signal } = context;
  const { reference } = build;
  const params = buildParams(build, options, env);
  const { agent } = options.ssh;
  const stream = await client.open("Image.Build", params, { signal, timeoutMs: dayMs });
  const progress = progressLines(out, `sending ${build.what}`);
  try {
    const { bytes, summary } = openUpload(context, withContexts(build, options));
    void summary.then(
      (text) => {
        if (text !== undefined) out.note(`Sent ${text}.`);
        progress.update(`building ${reference}`);
      },
      () => {},
    );
    const image = await uploadTo(stream, bytes, async (frame) => {
      if (frame.kind !== frameKinds.agent) return progress.onFrame(frame);
      if (agent !== undefined) await stream.write(frameKinds.agent, await askAgent(agent, frame.payload));
    });
    const name = image.references.find((known) => known.startsWith(reference)) ?? reference;
    return { image, name, suffix: build.suffix };
  } catch (error) {
    throw progress.shorten(error);
  } finally {
    progress.done();
  }
}

async function deliver(
  context: Context,
  built: readonly Built[],
  { archives, references }: Destinations,
): Promise<void> {
  const names = built.map(({ name }) => name);
  for (const file of archives) {
    const bytes = await saveArchive(context, { references: names, format: "oci", file });
    context.out.note(`Wrote ${file}, ${formatBytes(bytes)}.`);
  }
  for (const reference of references) {
    for (const { name, suffix } of built) {
      const pushed = await pushImage(context, name, destinationOf(reference, suffix));
      context.out.note(`Pushed ${printable(pushed.reference)}.`);
    }
  }
}

export const build: CommandModule = {
  examples: [
    "uni build . -t web:1.2",
    "uni build ./app -t app -f app.Dockerfile --build-arg VERSION=3 --target release",
    "uni build . -o registry.example.com/team/app:1.2 -o app.tar",
    "uni build . -t app --secret id=token,src=token.txt --no-cache",
    "uni build . -t app --build-context shared=../shared --ssh default",
    "uni build ./server -t server               a static ELF program",
    "uni build /usr/bin/jq --with-libs          a program with the libraries it needs",
    "uni build ./rootfs -t tiny --rootfs --entrypoint /bin/app",
  ],
  define(command, act) {
    command
      .argument(
        "[path]",
        "Kraftfile, Dockerfile, directory with one of them, ELF program, or root directory",
        ".",
      )
      .option("-t, --tag <name[:tag]>", "name of the image (default: the Kraftfile's, or made from the path)")
      .option(
        "-o, --output <where>",
        "push it to a registry's reference, write it as FILE.tar, or print as table, json or yaml; repeatable",
        collect,
      )
      .option("-f, --file <path>", "the Dockerfile or Kraftfile")
      .option("--build-arg <key=value>", "value of an ARG; KEY alone hands yours on; repeatable", collect)
      .option("--target <stage>", "stop at this stage")
      .option("--secret <id=name,src=file>", "file for RUN --mount=type=secret; repeatable", collect)
      .option(
        "--ssh <id[=key]>",
        "your agent, or private keys, for RUN --mount=type=ssh; repeatable",
        collect,
      )
      .option("--build-context <name=dir>", "a directory for COPY --from=NAME; repeatable", collect)
      .option("--no-cache", "build every step anew")
      .option("--arch <arch>", "must be this machine's: x86_64 or amd64, arm64 or aarch64")
      .option("--platform <os/arch>", "the same, as linux/amd64")
      .option("--rootfs", "the directory is a root file system")
      .option("--with-libs", "copy the loader and libraries of a dynamic program into the image")
      .option("--include <src[:dst]>", "file or directory to go with a program; repeatable", collect)
      .option("--entrypoint <words>", "entry point, in place of what is built in: words, or a JSON array")
      .option("--cmd <words>", "default arguments, in place of those")
      .option("-e, --env <key=value>", "environment, added to that; repeatable", collect)
      .option("-u, --user <user[:group]>", "user of the program")
      .option("-w, --workdir <path>", "working directory of the program")
      .action(
        act(async (context, path: string, options: BuildOptions) => {
          const { out, env } = context;
          const architecture = architectureOf(process.arch);
          checkArchitecture(options, architecture);
          const destinations = readDestinations(options.output);
          const tag = options.tag ?? destinations.references[0];
          const plan = await planBuild(path, { ...options, tag, architecture, env });
          refuseIdle(options, plan.builds);
          for (const note of plan.notes) out.note(`Note: ${printable(note)}`);
          const [main, ...roms] = plan.builds;
          const config = imageConfig(options, main.params.config ?? {}, env);
          const read = readOptions(options, env);
          const built = [await buildOne(context, { ...main, params: { ...main.params, config } }, read)];
          // A stage is one of the root's Dockerfile.
          const { target: _, ...romOptions } = read;
          for (const rom of roms) built.push(await buildOne(context, rom, romOptions));
          await deliver(context, built, destinations);
          const images = built.map(({ image }) => image);
          await out.show(images.length === 1 ? images[0] : images, {
            text: () => built.map(({ image, name }) => `${image.digest}  ${printable(name)}\n`).join(""),
            names: () => images.map(({ digest }) => digest),
          });
        }),
      );
  },
};
