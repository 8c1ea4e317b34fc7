import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import { type CreateInstanceRequest, Environment, MemoryMb } from "@uni/contract/resources/instance";
import type { RunParams } from "@uni/contract/rpc";
import { parseSizeMb } from "@uni/contract/sizes";
import { notSupported, readCreateRequest } from "./create-rules.ts";
import type { InstancesPort } from "./port.ts";
import { readNameOrUuid } from "./references.ts";
import { type RpcAnswer, type RpcContext, value } from "./rpc-answer.ts";
import { validate } from "./validate.ts";
import { toVmInfo } from "./vm-info.ts";
import { waitMs } from "./waiting.ts";

/** A distribution kernel wants more than the 128 MiB that the REST API documents. */
const defaultMemoryMb = 256;

const later = [
  "network_name",
  "ip_address",
  "gateway_ip",
  "bridge_name",
  "subnet_mask",
  "health_check",
  "cpu_shares",
  "memory_max",
  "disk_iops",
  "disk_bps",
] as const;

export async function runVm(
  instances: InstancesPort,
  params: RunParams,
  context: RpcContext,
): Promise<RpcAnswer> {
  const request = readCreateRequest(toCreateRequest(params));
  const wait = request.autostart ? waitMs(params.wait_s, undefined) : 0;
  const created = await instances.create(context.account, request, wait, context.signal);
  const [instance] = created.instances;
  if (instance === undefined) throw new UniError("internal", "run an instance: the core made none");
  return value(toVmInfo(instance));
}

function toCreateRequest(params: RunParams): CreateInstanceRequest {
  for (const member of later) if (params[member] !== undefined) throw notSupported(member);
  if ((params.volumes?.length ?? 0) > 0) throw notSupported("volumes");
  if (params.vcpus !== undefined && params.cpus !== undefined) throw onlyOne("vcpus", "cpus");
  if (params.image !== undefined && params.image_path !== undefined) throw onlyOne("image", "image_path");
  const restart = params.restart;
  const isOfImage = [params.template, params.branch_from, params.checkpoint].every(
    (each) => each === undefined,
  );
  const given: CreateInstanceRequest = {
    name: params.name,
    image: params.image ?? params.image_path,
    pull_policy: params.pull_policy,
    template: referenceIn(params.template),
    branch_from: referenceIn(params.branch_from),
    checkpoint: referenceIn(params.checkpoint),
    args: params.args,
    entrypoint: params.entrypoint,
    env: readEnvironment(params.env),
    user: params.user,
    working_directory: params.working_directory,
    tty: params.tty,
    stdin_open: params.stdin_open,
    hostname: params.hostname,
    tags: params.tags,
    memory_mb: params.memory === undefined && !isOfImage ? undefined : readMemory(params.memory),
    vcpus: params.vcpus ?? params.cpus,
    restart_policy: restart?.policy,
    restart_max_retries: restart?.policy === "never" ? undefined : restart?.max_retries,
    scale_to_zero: params.scale_to_zero,
    features: params.auto_remove ? ["delete-on-stop"] : undefined,
    ports: params.port_maps,
    service_group: params.service_group,
    roms: params.roms,
    grace_period_s: params.grace_period_s ?? (isOfImage ? limits.graceS.default : undefined),
    delete_lock: params.delete_lock,
    autostart: params.autostart ?? true,
  };
  return Object.fromEntries(
    Object.entries(given).filter(([, member]) => member !== undefined),
  ) as CreateInstanceRequest;
}

const referenceIn = (text: string | undefined) => (text === undefined ? undefined : readNameOrUuid(text));

const onlyOne = (one: string, other: string) =>
  new UniError("exclusive", `Only one of '${one}' and '${other}' can be given`);

function readMemory(memory: RunParams["memory"]): number {
  if (memory === undefined) return defaultMemoryMb;
  if (typeof memory === "number") return memory;
  const size = parseSizeMb(memory);
  if (size === undefined) {
    throw new UniError("invalid_value", `Member 'memory' is no size: '${memory}'`, {
      hint: "Say 256M or 1G.",
    });
  }
  return validate(MemoryMb, size, "Member 'memory'");
}

function readEnvironment(env: RunParams["env"]): CreateInstanceRequest["env"] {
  if (!Array.isArray(env)) return env as CreateInstanceRequest["env"];
  const pairs = (env as readonly string[]).map((text) => {
    const at = text.indexOf("=");
    if (at < 1)
      throw new UniError("invalid_value", `Member 'env' has an item that is not KEY=VALUE: '${text}'`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return validate(Environment, Object.fromEntries(pairs), "Member 'env'");
}
