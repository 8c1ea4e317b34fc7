/** Parameters of the people-methods on the unix socket. References here are a uuid, a name, or an unambiguous uuid prefix. */
import Type, { type Static } from "typebox";
import { pullPolicies, restartPolicies } from "./enums.ts";
import { environmentKeyPattern, limits, noNulPattern } from "./limits.ts";
import {
  ArgumentList,
  CreateInstanceRequest,
  Environment,
  Hostname,
  InstanceUpdate,
} from "./resources/instance.ts";
import { instanceSet, setNameMembers } from "./resources/instance-set.ts";
import { PortMapping } from "./resources/port-mapping.ts";
import { count, integer, list, plainText, request, stringMap, tagList, words } from "./schema.ts";

const reference = plainText("Uuid, name, or unambiguous uuid prefix");
const imageReference = plainText("Image reference", limits.pathLength);
const guestPath = plainText("Absolute path in the instance", limits.pathLength);
const userText = Type.String({
  maxLength: limits.nameLength,
  pattern: noNulPattern,
  description: "user[:group]",
});
const signalName = Type.String({
  pattern: "^(SIG)?[A-Z0-9+-]{1,12}$",
  description: "Name, with or without SIG, or number",
});
const terminalSize = request({
  rows: integer("Rows", { minimum: 1, maximum: 65_535 }),
  columns: integer("Columns", { minimum: 1, maximum: 65_535 }),
});

export const NoParams = request({});
export const IdParams = request({ id: reference });
export const ImageParams = request({ reference: imageReference });
export const VersionParams = request({ version: plainText("Version of a kernel bundle") });

export const RunParams = request({
  image: Type.Optional(imageReference),
  image_path: Type.Optional(imageReference),
  template: Type.Optional(plainText("In place of an image: a clone of this template")),
  branch_from: Type.Optional(plainText("In place of an image: a copy of this instance, with its memory")),
  checkpoint: Type.Optional(plainText("In place of an image: as an instance was at this checkpoint")),
  name: CreateInstanceRequest.properties.name,
  args: Type.Optional(ArgumentList),
  entrypoint: Type.Optional(ArgumentList),
  env: Type.Optional(
    Type.Union([list(Type.String({ pattern: noNulPattern }), "KEY=VALUE", limits.environment), Environment]),
  ),
  user: Type.Optional(userText),
  working_directory: Type.Optional(guestPath),
  tty: CreateInstanceRequest.properties.tty,
  stdin_open: CreateInstanceRequest.properties.stdin_open,
  hostname: Type.Optional(Hostname),
  tags: Type.Optional(tagList),
  memory: Type.Optional(
    Type.Union([integer("MiB", limits.memoryMb), plainText("Size such as 256M or 1G", 16)]),
  ),
  vcpus: CreateInstanceRequest.properties.vcpus,
  cpus: CreateInstanceRequest.properties.vcpus,
  restart: Type.Optional(
    request({
      policy: words(restartPolicies),
      max_retries: Type.Optional(integer("0: no limit", limits.restartRetries)),
    }),
  ),
  scale_to_zero: CreateInstanceRequest.properties.scale_to_zero,
  auto_remove: Type.Optional(Type.Boolean({ description: "Delete it once it stops" })),
  pull_policy: CreateInstanceRequest.properties.pull_policy,
  service_group: CreateInstanceRequest.properties.service_group,
  roms: CreateInstanceRequest.properties.roms,
  port_maps: Type.Optional(list(PortMapping, "Ports published on the host", limits.ports)),
  grace_period_s: CreateInstanceRequest.properties.grace_period_s,
  delete_lock: Type.Optional(Type.Boolean()),
  autostart: Type.Optional(Type.Boolean({ description: "Default true" })),
  attach: Type.Optional(
    Type.Boolean({ description: "Accepted for older clients: every instance can be attached to" }),
  ),
  wait_s: Type.Optional(integer("Seconds to wait until it runs; default 0", limits.timeoutS)),

  network_name: Type.Optional(Type.String()),
  ip_address: Type.Optional(Type.String()),
  gateway_ip: Type.Optional(Type.String()),
  bridge_name: Type.Optional(Type.String()),
  subnet_mask: Type.Optional(Type.String()),
  volumes: Type.Optional(list(Type.Unknown(), "Volumes")),
  health_check: Type.Optional(Type.Unknown()),
  cpu_shares: Type.Optional(Type.Unknown()),
  memory_max: Type.Optional(Type.Unknown()),
  disk_iops: Type.Optional(Type.Unknown()),
  disk_bps: Type.Optional(Type.Unknown()),
});
export type RunParams = Static<typeof RunParams>;

export const ListParams = request({
  all: Type.Optional(Type.Boolean({ description: "Also those that do not run; default true" })),
});

export const ConsoleParams = request({
  id: reference,
  start: Type.Optional(Type.Boolean({ description: "Start it; nothing of its output is missed" })),
  terminal: Type.Optional(terminalSize),
});
export type ConsoleParams = Static<typeof ConsoleParams>;

export const StopParams = request({
  id: reference,
  force: Type.Optional(Type.Boolean({ description: "Kill at once" })),
  grace_s: Type.Optional(integer("Seconds until SIGKILL; default the instance's own", limits.graceS)),
});

export const StartParams = request({
  id: reference,
  cold: Type.Optional(Type.Boolean({ description: "Of one in standby: boot and drop its memory" })),
});

export const SuspendParams = request({
  id: reference,
  drain_s: Type.Optional(integer("Seconds to wait for open connections to end; default 0", limits.graceS)),
});

const ids = Type.Array(reference, instanceSet);

export const BranchParams = request({
  ids,
  ...setNameMembers,
  autostart: Type.Optional(Type.Boolean({ description: "Default true" })),
});
export type BranchParams = Static<typeof BranchParams>;

export const CheckpointParams = request({ ids, ...setNameMembers, tags: Type.Optional(tagList) });
export type CheckpointParams = Static<typeof CheckpointParams>;

export const RewindParams = request({
  rewinds: Type.Array(
    request({ id: reference, checkpoint: plainText("Uuid or name of the checkpoint") }),
    instanceSet,
  ),
});
export type RewindParams = Static<typeof RewindParams>;

export const KillParams = request({ id: reference, signal: Type.Optional(signalName) });
export const SignalParams = request({ id: reference, signal: signalName });
export const RemoveParams = request({
  id: reference,
  force: Type.Optional(Type.Boolean({ description: "Also when it runs" })),
});

export const LogsParams = request({
  id: reference,
  follow: Type.Optional(Type.Boolean()),
  tail: Type.Optional(count("Only the last lines")),
  since: Type.Optional(Type.String({ description: "RFC 3339 time" })),
  partial: Type.Optional(
    Type.Boolean({ description: "With follow: what has no line end yet is given out as it comes" }),
  ),
});

const execMembers = {
  argv: Type.Array(Type.String({ maxLength: limits.argumentBytes, pattern: noNulPattern }), {
    minItems: 1,
    maxItems: limits.arguments,
  }),
  env: Type.Optional(Environment),
  user: Type.Optional(userText),
  working_directory: Type.Optional(guestPath),
  terminal: Type.Optional(terminalSize),
};
export const ExecParams = request(execMembers);
export type ExecParams = Static<typeof ExecParams>;
export const VmExecParams = request({ id: reference, ...execMembers });

export const TunnelParams = request({
  id: reference,
  port: integer("TCP port in the instance", limits.port),
});

export const StatsParams = request({ id: Type.Optional(reference) });

export const UpdateParams = request({ id: reference, updates: list(InstanceUpdate, "Changes, in order") });

export const CopyOutParams = request({ id: reference, path: guestPath });

const copyInMembers = {
  path: plainText(
    "Where to, as `docker cp` has it: into an existing directory, or as that name",
    limits.pathLength,
  ),
};
export const CopyInParams = request(copyInMembers);
export type CopyInParams = Static<typeof CopyInParams>;
export const VmCopyInParams = request({ id: reference, ...copyInMembers });

export const PruneParams = request({
  build_cache: Type.Optional(Type.Boolean({ description: "Also what builds keep to be faster next time" })),
  boot_cache: Type.Optional(
    Type.Boolean({
      description: "Also all boot snapshots that nothing stands on; else those over the bound",
    }),
  ),
});

const registryCredentials = request(
  { username: plainText("User", 255), password: Type.String({ maxLength: 65_536 }) },
  "For this request alone; else those that are kept for the registry",
);

export const PullParams = request({
  reference: imageReference,
  policy: Type.Optional(words(pullPolicies, "Default always")),
  credentials: Type.Optional(registryCredentials),
});
export type PullParams = Static<typeof PullParams>;

const registryHost = plainText("Host of a registry; default: the one that names without a host mean", 300);

export const LoginParams = request({
  registry: Type.Optional(registryHost),
  username: plainText("User", 255),
  password: Type.String({ minLength: 1, maxLength: 65_536, description: "Kept, and never shown" }),
  validate: Type.Optional(Type.Boolean({ description: "Default true: the registry has to take them" })),
});
export type LoginParams = Static<typeof LoginParams>;

export const RegistryParams = request({ registry: Type.Optional(registryHost) });

export const TagParams = request({ source: imageReference, reference: imageReference });

const imagePath = plainText("Path in the image", limits.pathLength);

export const ImageFilesParams = request({
  reference: imageReference,
  path: imagePath,
  recursive: Type.Optional(Type.Boolean({ description: "Also what is below the directories in it" })),
});

export const ImageReadParams = request({ reference: imageReference, path: imagePath });

export const ImageCopyOutParams = request({
  reference: imageReference,
  path: imagePath,
  follow_link: Type.Optional(Type.Boolean({ description: "Copy what a symbolic link at the path leads to" })),
});

export const archiveFormats = ["oci", "docker"] as const;

export const SearchParams = request({ term: plainText("Part of a name") });

export const PushParams = request({
  reference: imageReference,
  destination: Type.Optional(plainText("Reference to push to; default the same", limits.pathLength)),
  credentials: Type.Optional(registryCredentials),
});
export type PushParams = Static<typeof PushParams>;

export const SaveParams = request({
  references: Type.Array(imageReference, { minItems: 1, maxItems: limits.savedImages }),
  format: Type.Optional(words(archiveFormats, "Default oci")),
});
export type SaveParams = Static<typeof SaveParams>;

export const LoadParams = request({ reference: Type.Optional(imageReference) });

export const buildKinds = ["context", "elf", "program", "root", "image"] as const;

/** Where further contexts are in the tar of a build context; nobody else sees it. */
export const furtherContexts = ".uni-contexts";

export const BuildParams = request({
  kind: words(
    buildKinds,
    [
      "What is uploaded: a build context (tar); one static program; a program's files (tar), laid over what programs commonly expect;",
      "a root file system (tar, cpio or EROFS; gzip and zstd are undone); nothing, for it is an image already",
    ].join(" "),
  ),
  reference: imageReference,
  dockerfile: Type.Optional(plainText("Path in the context; default Dockerfile", limits.pathLength)),
  target: Type.Optional(plainText("Stage to build")),
  build_args: Type.Optional(Environment),
  secrets: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: "Contents by id, base64",
      maxProperties: limits.arrayItems,
    }),
  ),
  ssh: Type.Optional(
    Type.Record(Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: limits.arrayItems }), {
      description: "Private keys by id, base64, for RUN --mount=type=ssh",
      maxProperties: limits.arrayItems,
    }),
  ),
  ssh_agent: Type.Optional(
    Type.Array(plainText("Id"), {
      description: "Ids that the client's own agent stands for: it answers frames of kind agent",
      maxItems: limits.arrayItems,
    }),
  ),
  contexts: Type.Optional(
    Type.Array(plainText("Name of a further context"), {
      description: `Uploaded along with the build context, below ${furtherContexts}/NAME`,
      maxItems: limits.arrayItems,
    }),
  ),
  no_cache: Type.Optional(Type.Boolean()),
  image: Type.Optional(imageReference),
  base: Type.Optional(
    plainText("Reference of an image whose files lie below what is built", limits.pathLength),
  ),
  config: Type.Optional(
    request({
      entrypoint: Type.Optional(ArgumentList),
      cmd: Type.Optional(ArgumentList),
      env: Type.Optional(Environment),
      labels: Type.Optional(
        stringMap("In place of the image's own", environmentKeyPattern, limits.environment),
      ),
      user: Type.Optional(userText),
      working_directory: Type.Optional(guestPath),
      stop_signal: Type.Optional(signalName),
    }),
  ),
});
export type BuildParams = Static<typeof BuildParams>;

export const ShutdownParams = request({
  stop_instances: Type.Optional(
    Type.Boolean({ description: "Default false: instances go on without the daemon" }),
  ),
});
