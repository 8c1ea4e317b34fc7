/** From a create request to what is stored: refuses what contradicts itself or is not there yet. Pure. */
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { InstanceSpec } from "./record.ts";
import { readScaleToZero, refuseSleepOfPassing } from "./scale-to-zero.ts";

/** Documented members whose features this version does not have: refused by name, never dropped. */
const notYet = [
  "volumes",
  "plugins",
  "schedules",
  "autokill",
  "dependencies",
  "sched_priority",
  "network_interfaces",
  "gateway",
] as const satisfies readonly (keyof CreateInstanceRequest)[];

export interface WantedImage {
  readonly reference: string;
  /** Undefined: it is to be pulled first. */
  readonly image: { readonly digest: Digest; readonly config: ProgramConfig } | undefined;
}

interface ProgramConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

/** Refusals that need no image; called before anything is looked up. */
export function checkCreateRequest(request: CreateInstanceRequest, waits: boolean): void {
  for (const member of notYet) {
    if (isAsked(request[member])) {
      throw new UniError("not_supported", `create instance: '${member}' is not supported by this version`);
    }
  }
  if (request.type === "full" || (request.gpus ?? 0) > 0) {
    throw new UniError(
      "not_supported",
      "create instance: type 'full' and GPUs are not supported by this version",
    );
  }
  if (request.features?.includes("nested-virt")) {
    throw new UniError(
      "not_supported",
      "create instance: feature 'nested-virt' is not supported by this version",
    );
  }
  if (waits && request.autostart !== true) {
    throw new UniError("exclusive", "create instance: 'timeout_s' needs 'autostart' to be true");
  }
  if ((request.replicas ?? 0) > 0 && (request.ports ?? []).length > 0) {
    throw new UniError("exclusive", "create instance: 'ports' of the host cannot be shared by 'replicas'");
  }
}

function isAsked(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  return !(Array.isArray(value) && value.length === 0);
}

/** What surrounds the program. */
type Settings = Pick<
  InstanceSpec,
  | "restartPolicy"
  | "restartLimit"
  | "features"
  | "tags"
  | "annotations"
  | "deleteLock"
  | "hostname"
  | "ports"
  | "gracePeriodMs"
  | "nameserver"
  | "scaleToZero"
>;

/** One that is removed once it stops is neither started again nor put to sleep. */
export function refusePassing({ features, restartPolicy, scaleToZero }: Settings): void {
  if (features.includes("delete-on-stop") && restartPolicy !== "never") {
    throw new UniError(
      "exclusive",
      `create instance: feature 'delete-on-stop' excludes restart policy '${restartPolicy}'`,
    );
  }
  if (scaleToZero !== null) refuseSleepOfPassing({ features }, scaleToZero);
}

export function makeSpec(request: CreateInstanceRequest, { reference, image }: WantedImage): InstanceSpec {
  const settings = settingsOf(request);
  refusePassing(settings);
  const memoryMb = request.memory_mb ?? limits.memoryMb.default;
  const args = typeof request.args === "string" ? [request.args] : (request.args ?? null);
  const entrypoint = request.entrypoint ?? null;
  if (image !== undefined)
    checkProgram({ imageReference: reference, args, entrypoint }, image, "create instance");
  return {
    imageReference: reference,
    imageDigest: image?.digest ?? null,
    media: null,
    args,
    entrypoint,
    env: request.env ?? {},
    user: request.user ?? null,
    workingDirectory: request.working_directory ?? null,
    tty: request.tty ?? false,
    stdinOpen: request.stdin_open ?? false,
    memoryMb,
    vcpus: request.vcpus ?? limits.vcpus.default,
    ...settings,
    roms: [],
    lineage: [],
    preparation: false,
    forkedFrom: null,
    forkFamily: null,
    scaledFor: null,
    replaces: null,
  };
}

/** The image names a program, or the instance does. */
export function checkProgram(
  { imageReference, args, entrypoint }: Pick<InstanceSpec, "imageReference" | "args" | "entrypoint">,
  { config }: { readonly config: ProgramConfig },
  attempted: string,
): void {
  if (config.entrypoint.length + config.cmd.length > 0) return;
  if ((args ?? []).length > 0 || (entrypoint ?? []).length > 0) return;
  throw new UniError("invalid_value", `${attempted}: image '${imageReference}' names no program to run`, {
    hint: "Give the program as arguments: uni run IMAGE PROGRAM ARGS…",
  });
}

export function settingsOf(request: CreateInstanceRequest): Settings {
  return {
    restartPolicy: request.restart_policy ?? "never",
    restartLimit: (request.restart_max_retries ?? 0) === 0 ? null : (request.restart_max_retries ?? null),
    features: request.features ?? [],
    tags: [...new Set(request.tags ?? [])],
    annotations: request.annotations ?? {},
    deleteLock: request.delete_lock ?? false,
    hostname: request.hostname ?? null,
    ports: (request.ports ?? []).map((port) => ({
      hostAddress: port.host_address ?? "0.0.0.0",
      hostPort: port.host_port,
      guestPort: port.guest_port,
      protocol: port.protocol ?? "tcp",
    })),
    gracePeriodMs: (request.grace_period_s ?? limits.graceS.default) * 1000,
    nameserver: request.nameserver ?? null,
    scaleToZero: request.scale_to_zero === undefined ? null : readScaleToZero(request.scale_to_zero),
  };
}
