import Type, { type Static } from "typebox";
import {
  accelerators,
  instanceFeatures,
  instanceStates,
  instanceTypes,
  mutableInstanceProperties,
  mutableOperations,
  pendingUpdateStatuses,
  pullPolicies,
  restartPolicies,
  scaleToZeroPolicies,
  schedPriorities,
  sleepTiers,
} from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import {
  annotationKeyPattern,
  annotationValuePattern,
  environmentKeyPattern,
  hostnamePattern,
  limits,
  noNulPattern,
} from "../limits.ts";
import {
  answer,
  count,
  integer,
  list,
  nameText,
  plainText,
  request,
  stringMap,
  tagList,
  timeoutS,
  timestamp,
  waitTimeoutMs,
  words,
} from "../schema.ts";
import { ImageReference } from "./image-spec.ts";
import {
  AutokillPart,
  NetworkInterfacePart,
  PluginPart,
  RomParts,
  ScaleToZeroPart,
  SchedulePart,
  TemplatePart,
  VolumePart,
} from "./instance-parts.ts";
import { PortMapping } from "./port-mapping.ts";
import { propertyUpdate } from "./property-update.ts";
import { NameOrUuid } from "./reference.ts";
import { ServiceGroupPart } from "./service-parts.ts";

export const ArgumentList = list(
  Type.String({ maxLength: limits.argumentBytes, pattern: noNulPattern }),
  "Program arguments",
  limits.arguments,
);

export const Environment = stringMap("Environment of the program", environmentKeyPattern, limits.environment);

export const Annotations = Type.Record(
  Type.String(),
  Type.String({ maxLength: limits.annotationValueLength, pattern: annotationValuePattern }),
  {
    description: "At most 256; keys as Kubernetes has them",
    maxProperties: limits.annotations,
    propertyNames: { pattern: annotationKeyPattern },
  },
);

export const MemoryMb = integer("MiB; default 128", limits.memoryMb);
export const Vcpus = integer("Default 1", limits.vcpus);
export const Hostname = Type.String({ pattern: hostnamePattern, description: "A DNS label" });

export const CreateInstanceRequest = request({
  name: Type.Optional(nameText("Unique per account; default <image>-<5 letters and digits>")),
  image: Type.Optional(ImageReference),
  pull_policy: Type.Optional(
    words(pullPolicies, "Of the image, unless that says it itself; default if_not_present"),
  ),
  args: Type.Optional(
    Type.Union([ArgumentList, Type.String({ maxLength: limits.argumentBytes, pattern: noNulPattern })]),
  ),
  env: Type.Optional(Environment),
  memory_mb: Type.Optional(MemoryMb),
  vcpus: Type.Optional(Vcpus),
  autostart: Type.Optional(
    Type.Boolean({ description: "Start at once; must be true when a wait is asked for" }),
  ),
  replicas: Type.Optional(integer("N makes N + 1 instances", limits.replicas)),
  restart_policy: Type.Optional(words(restartPolicies, "Default never")),
  timeout_s: Type.Optional(timeoutS),
  wait_timeout_ms: Type.Optional(waitTimeoutMs),
  features: Type.Optional(list(words(instanceFeatures), "Features of the instance")),
  tags: Type.Optional(tagList),
  annotations: Type.Optional(Annotations),
  hostname: Type.Optional(Hostname),
  type: Type.Optional(words(instanceTypes, "Default micro")),
  delete_lock: Type.Optional(Type.Boolean({ description: "Blocks deletion while true" })),

  service_group: Type.Optional(ServiceGroupPart),
  volumes: Type.Optional(list(VolumePart, "Volumes")),
  roms: Type.Optional(RomParts),
  plugins: Type.Optional(list(PluginPart, "Plugins", limits.plugins)),
  scale_to_zero: Type.Optional(ScaleToZeroPart),
  template: Type.Optional(TemplatePart),
  branch_from: Type.Optional(NameOrUuid),
  checkpoint: Type.Optional(NameOrUuid),
  schedules: Type.Optional(list(SchedulePart, "Schedules")),
  autokill: Type.Optional(AutokillPart),
  dependencies: Type.Optional(list(NameOrUuid, "Instances that must run first")),
  sched_priority: Type.Optional(words(schedPriorities)),
  gateway: Type.Optional(Type.String({ description: "Default gateway in the guest" })),
  nameserver: Type.Optional(Type.String({ description: "Resolver in the guest" })),
  network_interfaces: Type.Optional(
    list(NetworkInterfacePart, "1 to 4; the first is primary", limits.networkInterfaces),
  ),
  gpus: Type.Optional(integer("Only with type full", { minimum: 0, maximum: 1 })),

  ports: Type.Optional(list(PortMapping, "Uni: ports published on the host", limits.ports)),
  entrypoint: Type.Optional(ArgumentList),
  user: Type.Optional(
    Type.String({ pattern: noNulPattern, maxLength: limits.nameLength, description: "Uni: user[:group]" }),
  ),
  working_directory: Type.Optional(plainText("Uni: working directory", limits.pathLength)),
  tty: Type.Optional(Type.Boolean({ description: "Uni: the program has a terminal" })),
  stdin_open: Type.Optional(
    Type.Boolean({ description: "Uni: the program's input is what clients send; default: it is empty" }),
  ),
  grace_period_s: Type.Optional(integer("Uni: seconds between the stop signal and SIGKILL", limits.graceS)),
  restart_max_retries: Type.Optional(
    integer("Uni: gives up after this many restarts; 0: never", limits.restartRetries),
  ),
});
export type CreateInstanceRequest = Static<typeof CreateInstanceRequest>;

/**
 * One change of one property. In the daemon `value` is already checked and brought to one form: image string; args
 * string[]; env and annotations map (set, add) or string[] of keys (del); memory_mb and vcpus number; tags string[];
 * hostname string; delete_lock boolean; ports ExposedPort[]; roms RomPart[] (set, add) or string[] of names (del). `del` without value clears the property.
 */
export const InstanceUpdate = propertyUpdate(mutableInstanceProperties);
export type InstanceUpdate = Static<typeof InstanceUpdate>;

const RestartAttempt = answer({
  attempt: count("Tries in this sequence"),
  next_at: Type.Optional(timestamp("When the next try is due")),
});

const PendingUpdate = answer({
  prop: words(mutableInstanceProperties),
  op: words(mutableOperations),
  value: Type.Optional(Type.Unknown()),
  status: words(pendingUpdateStatuses),
  error: Type.Optional(Type.String({ description: "Only when failed" })),
});

const InstanceNetworkInterface = answer({
  uuid: Type.String(),
  private_ip: Type.String(),
  mac: Type.String(),
  name: Type.Optional(Type.String()),
  tap_name: Type.Optional(Type.String()),
});

const InstanceServiceGroup = answer({
  uuid: Type.String(),
  name: Type.String(),
  domains: Type.Optional(
    Type.Array(
      answer({
        fqdn: Type.String(),
        certificate: Type.Optional(answer({ uuid: Type.String(), name: Type.String() })),
      }),
    ),
  ),
});

const InstanceRom = answer({
  name: Type.String(),
  image: Type.Optional(Type.String({ description: "Reference with digest" })),
  at: Type.Optional(Type.String({ description: "Mount point" })),
  files: Type.Optional(
    Type.Array(
      answer({
        path: Type.String(),
        size_bytes: count("Uni: in place of the content, which is not given back"),
      }),
    ),
  ),
});

export const Instance = answer({
  ...outcomeMembers,
  uuid: Type.String(),
  name: Type.String(),
  created_at: timestamp("Creation"),
  state: words(instanceStates),
  private_fqdn: Type.Optional(Type.String()),
  private_ip: Type.Optional(Type.String({ description: "Of the primary interface" })),
  gateway: Type.Optional(Type.String()),
  nameserver: Type.Optional(Type.String()),
  image: Type.String({ description: "Reference with digest" }),
  memory_mb: count("MiB"),
  vcpus: count("Virtual processors"),
  args: Type.Optional(Type.Array(Type.String())),
  env: Type.Optional(Type.Record(Type.String(), Type.String())),
  start_count: Type.Optional(count("Starts of all kinds")),
  restart_count: Type.Optional(count("Automatic restarts")),
  started_at: Type.Optional(timestamp("Last start")),
  stopped_at: Type.Optional(timestamp("Last stop")),
  uptime_ms: Type.Optional(count("Total run time")),
  retained_until: Type.Optional(timestamp("Only in state deleted")),
  vmm_start_time_us: Type.Optional(count("Until the VMM answered")),
  vmm_load_time_us: Type.Optional(count("Until the snapshot was loaded")),
  vmm_ready_time_us: Type.Optional(count("Until the machine ran")),
  boot_time_us: Type.Optional(count("Until the program's first instruction")),
  net_time_us: Type.Optional(count("Until the program listened")),
  stop_reason: Type.Optional(count("Bit mask: 32 Z, 16 F, 8 U, 4 P, 2 A, 1 K")),
  exit_code: Type.Optional(count("Only if the program exited")),
  stop_code: Type.Optional(count("Only if the kernel exited")),
  restart_policy: words(restartPolicies),
  restart: Type.Optional(RestartAttempt),
  scale_to_zero: Type.Optional(
    answer({
      enabled: Type.Optional(Type.Boolean()),
      policy: Type.Optional(words(scaleToZeroPolicies)),
      stateful: Type.Optional(Type.Boolean()),
      cooldown_time_ms: Type.Optional(count("Milliseconds")),
      notify_time_ms: Type.Optional(count("Milliseconds")),
    }),
  ),
  sleep: Type.Optional(
    answer(
      { tier: words(sleepTiers, "off: nothing is kept, waking is a start"), since: timestamp("Fell asleep") },
      "Uni: only in state standby",
    ),
  ),
  service_group: Type.Optional(InstanceServiceGroup),
  network_interfaces: Type.Optional(Type.Array(InstanceNetworkInterface)),
  roms: Type.Optional(Type.Array(InstanceRom)),
  tags: Type.Optional(Type.Array(Type.String())),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
  delete_lock: Type.Optional(Type.Boolean()),
  snapshot: Type.Optional(answer({ uuid: Type.String() }, "What its memory stands on")),
  template_autokill: Type.Optional(answer({ time_ms: count("Milliseconds") }, "Templates only")),
  checkpoint_autokill: Type.Optional(answer({ time_ms: count("Milliseconds") }, "Checkpoints only")),
  features: Type.Optional(Type.Array(words(instanceFeatures))),
  updates: Type.Optional(Type.Array(PendingUpdate)),
  type: words(instanceTypes),

  hostname: Type.Optional(Type.String()),
  image_ref: Type.Optional(Type.String({ description: "Uni: the reference as it was asked for" })),
  ports: Type.Optional(Type.Array(PortMapping)),
  entrypoint: Type.Optional(Type.Array(Type.String())),
  user: Type.Optional(Type.String()),
  working_directory: Type.Optional(Type.String()),
  tty: Type.Optional(Type.Boolean({ description: "Uni: the program has a terminal" })),
  stdin_open: Type.Optional(Type.Boolean({ description: "Uni: the program's input is what clients send" })),
  grace_period_s: Type.Optional(count("Uni: seconds between the stop signal and SIGKILL")),
  restart_max_retries: Type.Optional(count("Uni: 0: no limit")),
  accelerator: Type.Optional(words(accelerators, "Uni: tcg is emulation and no isolation boundary")),
  kernel: Type.Optional(Type.String({ description: "Uni: version of the kernel it booted last" })),
  exit_reason: Type.Optional(Type.String({ description: "Uni: why it stopped, as a sentence" })),
});
export type Instance = Static<typeof Instance>;
