import { isUuid } from "@uni/contract/ids";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { RpcParams } from "@uni/contract/rpc-methods";

const referenceOf = (text: string) => (isUuid(text) ? { uuid: text } : { name: text });

const environmentOf = (env: RpcParams<"VM.Run">["env"]): Record<string, string> | undefined =>
  Array.isArray(env)
    ? Object.fromEntries(env.map((text) => [text.split("=", 1)[0], text.slice(text.indexOf("=") + 1)]))
    : env;

/** The request of the REST API that says the same as a VM.Run. */
export function createRequestOf(params: RpcParams<"VM.Run">): CreateInstanceRequest {
  const { memory, restart, port_maps, auto_remove, cpus, vcpus = cpus, wait_s = 0 } = params;
  const request: CreateInstanceRequest = {
    name: params.name,
    image: params.image ?? params.image_path,
    pull_policy: params.pull_policy,
    template: params.template === undefined ? undefined : referenceOf(params.template),
    branch_from: params.branch_from === undefined ? undefined : referenceOf(params.branch_from),
    checkpoint: params.checkpoint === undefined ? undefined : referenceOf(params.checkpoint),
    args: params.args,
    entrypoint: params.entrypoint,
    env: environmentOf(params.env),
    user: params.user,
    working_directory: params.working_directory,
    tty: params.tty,
    stdin_open: params.stdin_open,
    hostname: params.hostname,
    tags: params.tags,
    memory_mb: typeof memory === "string" ? undefined : memory,
    vcpus,
    restart_policy: restart?.policy,
    restart_max_retries: restart?.max_retries,
    scale_to_zero: params.scale_to_zero,
    features: auto_remove === true ? ["delete-on-stop"] : undefined,
    ports: port_maps,
    service_group: params.service_group,
    roms: params.roms,
    grace_period_s: params.grace_period_s,
    delete_lock: params.delete_lock,
    autostart: params.autostart ?? true,
    timeout_s: wait_s === 0 || params.autostart === false ? undefined : wait_s,
  };
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}
