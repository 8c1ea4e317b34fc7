import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { architectureOf } from "@uni/contract/architecture";
import type { PullPolicy } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { RpcParams } from "@uni/contract/rpc-methods";
import { type Command, Option } from "commander";
import { checkArchitecture } from "./build/architecture.ts";
import { nameFrom } from "./build/reference.ts";
import { collect } from "./define.ts";
import { parseCount } from "./parse/count.ts";
import { parseDirectory } from "./parse/directory.ts";
import { readEnvironment } from "./parse/environment.ts";
import { parseMemory } from "./parse/memory.ts";
import { collectPublished, type Published } from "./parse/published.ts";
import { parsePullPolicy } from "./parse/pull-policy.ts";
import { parseRestart, type RestartPolicy } from "./parse/restart.ts";
import { collectRom } from "./parse/rom.ts";
import { parseSeconds } from "./parse/time-span.ts";
import { addServiceGroupOptions, type ServiceGroupOptions, serviceGroupOf } from "./service-group-options.ts";
import { addSleepOptions, newSleepSetting, type SleepOptions } from "./sleep-options.ts";

export interface RunOptions extends SleepOptions, ServiceGroupOptions {
  readonly name?: string;
  readonly memory?: number;
  readonly vcpus?: number;
  readonly cpus?: number;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly publish?: Published;
  readonly rom?: readonly RomPart[];
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly rm?: boolean;
  readonly restart?: RestartPolicy;
  readonly entrypoint?: string;
  readonly user?: string;
  readonly workdir?: string;
  readonly hostname?: string;
  readonly tag?: readonly string[];
  readonly stopTimeout?: number;
  readonly deleteLock?: boolean;
  readonly replicas?: number;
  readonly platform?: string;
  readonly pull: PullPolicy;
  readonly template?: string;
  readonly checkpoint?: string;
  readonly branch?: string;
}

/** A distribution's kernel wants more than the REST API's 128 MiB. */
const defaultMemoryMb = 256;

/** The options of `run` and `create`: how an instance is to be. */
export function addRunOptions(command: Command): Command {
  command
    .option("--name <name>", "name of the instance; made from the image's otherwise")
    .option(
      "-p, --publish <[addr:]host:guest[/udp]>",
      "publish a port on this machine, or with /handlers (or as 443:GUEST) a service; repeatable",
      collectPublished,
    )
    .option("-e, --env <key=value>", "environment variable; KEY alone hands yours on; repeatable", collect)
    .option("--env-file <file>", "environment variables, one a line; repeatable", collect)
    .option("-i, --interactive", "pass standard input on to the program; run stays with it")
    .option("-t, --tty", "give the program a terminal; run stays with it")
    .option("--rm", "remove the instance once it has stopped")
    .option("-m, --memory <size>", `memory, such as 512M or 1G (default: ${defaultMemoryMb}M)`, parseMemory)
    .option("--vcpus <count>", "virtual processors (default: 1)", parseCount(1, 64))
    .option("--cpus <count>", "the same as --vcpus", parseCount(1, 64))
    .option("--restart <policy>", "never, always, on-failure or on-failure:RETRIES", parseRestart)
    .option("--entrypoint <program>", 'run this in place of the image\'s entry point; "" clears it')
    .option("-u, --user <user[:group]>", "user of the program")
    .option("-w, --workdir <path>", "working directory of the program", parseDirectory)
    .option("--hostname <label>", "host name (default: the name)")
    .option("--tag <tag>", "tag of the instance; repeatable", collect)
    .option("--stop-timeout <seconds>", "time between the stop signal and SIGKILL", parseSeconds)
    .option("--delete-lock", "refuse to remove it until the lock is taken off")
    .option("--replicas <count>", "how many alike instances to make", parseCount(1, 253))
    .option(
      "--rom <name=,image=|dir=,at=>",
      "ROM of an image or of a directory's files; repeatable",
      collectRom,
    )
    .optionsGroup("What it is made of:")
    .addOption(
      new Option("--pull <policy>", "pull the image: always, missing or never")
        .argParser(parsePullPolicy)
        .default("if_not_present", "missing"),
    )
    .option("--platform <os/arch>", "must be this machine's, such as linux/amd64")
    .option("--template <name>", "in place of an image: a clone of this template")
    .option("--checkpoint <name>", "in place of an image: as an instance was at this checkpoint")
    .option("--branch <instance>", "in place of an image: a copy of this instance as it is now")
    .optionsGroup("Sleep:");
  addSleepOptions(command).optionsGroup("Services:");
  return addServiceGroupOptions(command);
}

/** Arguments after the image: a `--` that sets them apart is not one of them. */
export const programArguments = (args: readonly string[]): string[] =>
  args[0] === "--" ? args.slice(1) : [...args];

function buildHint(path: string): string {
  const name = nameFrom(basename(resolve(path))) || "app";
  return `uni build ${path} -t ${name}, then give the name ${name}.`;
}

/** No name of an image begins so; older clients ran programs by their path. */
function refusePath(image: string): void {
  if (!/^[./~]/.test(image)) return;
  throw new UniError("invalid_value", `making an instance of ${image}: that is a path and no image`, {
    hint: `Build it first: ${buildHint(image)}`,
  });
}

/** Whoever gave the path of what is to be built hears of a registry first, in which it is not. */
export function withPathHint(error: unknown, image: string): unknown {
  const isElsewhere =
    error instanceof UniError && ["image_not_found", "registry_denied", "unreachable"].includes(error.code);
  if (!isElsewhere || !image.includes("/") || !existsSync(image)) return error;
  const { code, message, cause } = error;
  return new UniError(code, message, {
    cause,
    hint: `It is a path here, too. To build it: ${buildHint(image)}`,
  });
}

function defined<T extends object>(members: T): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

export function runParams(
  image: string | undefined,
  args: readonly string[],
  options: RunOptions,
  env: NodeJS.ProcessEnv,
): RpcParams<"VM.Run"> {
  const given = programArguments(args);
  const isCopy = [options.template, options.checkpoint, options.branch].some((each) => each !== undefined);
  if (image === undefined && !isCopy) {
    throw new UniError("malformed", "making an instance: no image was given", {
      hint: "'uni images' lists them.",
    });
  }
  if (image !== undefined) refusePath(image);
  checkArchitecture(options, architectureOf(process.arch));
  const { ports, services } = options.publish ?? { ports: [], services: [] };
  const environment = readEnvironment(options.env, options.envFile, env);
  return defined({
    image,
    template: options.template,
    checkpoint: options.checkpoint,
    branch_from: options.branch,
    name: options.name,
    args: given.length === 0 ? undefined : given,
    entrypoint:
      options.entrypoint === undefined ? undefined : [options.entrypoint].filter((text) => text !== ""),
    env: Object.keys(environment).length === 0 ? undefined : environment,
    user: options.user,
    working_directory: options.workdir,
    // A copy's program has what it has.
    tty: image === undefined ? undefined : options.tty,
    stdin_open: image === undefined ? undefined : options.interactive,
    hostname: options.hostname,
    tags: options.tag === undefined ? undefined : [...options.tag],
    memory: options.memory ?? (image === undefined ? undefined : defaultMemoryMb),
    vcpus: options.vcpus ?? options.cpus ?? (image === undefined ? undefined : 1),
    restart: options.restart,
    scale_to_zero: newSleepSetting(options),
    auto_remove: options.rm,
    port_maps: ports.length === 0 ? undefined : [...ports],
    service_group: serviceGroupOf(options, services),
    roms: options.rom === undefined ? undefined : [...options.rom],
    grace_period_s: options.stopTimeout === undefined ? undefined : Math.round(options.stopTimeout),
    delete_lock: options.deleteLock,
  });
}
