import type { Instance } from "@uni/contract/resources/instance";
import type { VmDetail, VmInfo } from "@uni/contract/rpc";

export function toVmInfo(instance: Instance): VmInfo {
  return {
    id: instance.uuid,
    name: instance.name,
    state: instance.state,
    image: instance.image_ref ?? instance.image,
    created_at: instance.created_at,
    ...pick(instance, ["started_at", "stopped_at", "exit_code", "exit_reason", "accelerator", "sleep"]),
    ...(instance.restart?.next_at === undefined ? {} : { restart_at: instance.restart.next_at }),
    ip: instance.private_ip ?? "",
    ports: instance.ports ?? [],
    memory: instance.memory_mb,
    vcpus: instance.vcpus,
    restart_count: instance.restart_count ?? 0,
  };
}

export function toVmDetail(instance: Instance): VmDetail {
  return {
    ...instance,
    id: instance.uuid,
    ip: instance.private_ip ?? "",
    ports: instance.ports ?? [],
    memory: instance.memory_mb,
    cpus: instance.vcpus,
  };
}

/** Those members that are there: JSON readers tell "absent" and "undefined" apart. */
function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Partial<Pick<T, K>> {
  const picked: Partial<Pick<T, K>> = {};
  for (const key of keys) if (from[key] !== undefined) picked[key] = from[key];
  return picked;
}
