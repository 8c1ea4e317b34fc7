/** What a create request may not combine, and which of its members belong to features that are not there yet. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { ImageReference } from "@uni/contract/resources/image-spec";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import { readReference } from "./references.ts";
import { waitMs } from "./waiting.ts";

/** The request in one form: image a string, args a list, tags without repeats; or the reason why it is refused. */
export function readCreateRequest(
  given: CreateInstanceRequest,
): CreateInstanceRequest & { readonly image: string } {
  refuseContradictions(given);
  refuseUnsupported(given);
  if (given.image === undefined) throw new UniError("invalid_value", "Missing member 'image'");
  return {
    ...given,
    image: imageUrl(given.image),
    ...(typeof given.args === "string" ? { args: [given.args] } : {}),
    ...(given.tags === undefined ? {} : { tags: [...new Set(given.tags)] }),
  };
}

/** The reference of an image; instructions for a pull are refused, for nothing is pulled yet. */
export function imageUrl(image: ImageReference): string {
  if (typeof image === "string") return image;
  if (image.credentials !== undefined) throw notSupported("credentials");
  if (image.headers !== undefined) throw notSupported("headers");
  if (image.pull_policy === "always") throw notSupported("pull_policy");
  return image.url;
}

export function notSupported(member: string): UniError {
  return new UniError("not_supported", `Member '${member}' is not supported yet`);
}

const exclusive = (message: string) => new UniError("exclusive", message);

function refuseContradictions(given: CreateInstanceRequest): void {
  if (given.branch_from !== undefined) {
    if (given.image !== undefined) throw exclusive("Cannot specify 'image' when 'branch_from' is set");
    if (given.template !== undefined) {
      throw exclusive("Cannot specify 'branch_from' when creating an instance from a template");
    }
    for (const member of ["args", "env", "memory_mb", "vcpus"] as const) {
      if (given[member] !== undefined) {
        throw exclusive(`Cannot specify '${member}' when branching from an existing instance`);
      }
    }
    readReference(given.branch_from);
  }
  for (const source of ["template", "checkpoint"] as const) {
    if (given[source] === undefined) continue;
    for (const member of ["image", "memory_mb"] as const) {
      if (given[member] !== undefined) throw exclusive(`Cannot specify '${member}' when '${source}' is set`);
    }
  }
  const wait = waitMs(given.timeout_s, given.wait_timeout_ms);
  if (wait !== 0 && given.autostart !== true) {
    const member = given.timeout_s === undefined ? "wait_timeout_ms" : "timeout_s";
    throw exclusive(`Member '${member}' needs 'autostart' to be true`);
  }
  if (given.features?.includes("delete-on-stop")) {
    if ((given.restart_policy ?? "never") !== "never") {
      throw exclusive("Feature 'delete-on-stop' needs 'restart_policy' to be 'never'");
    }
    if (given.scale_to_zero !== undefined && (given.scale_to_zero.policy ?? "off") !== "off") {
      throw exclusive("Cannot specify 'scale_to_zero' with feature 'delete-on-stop'");
    }
  }
  refuseLateNotice(given.scale_to_zero);
  if (given.restart_max_retries !== undefined && (given.restart_policy ?? "never") === "never") {
    throw exclusive("Member 'restart_max_retries' needs a 'restart_policy' other than 'never'");
  }
  refusePortClashes(given);
}

function refuseLateNotice(setting: CreateInstanceRequest["scale_to_zero"]): void {
  const { notify_time_ms: notify = 0, cooldown_time_ms: cooldown = limits.cooldownMs.default } =
    setting ?? {};
  if (notify === 0 || notify < cooldown) return;
  throw new UniError("invalid_value", "Member 'notify_time_ms' must be less than 'cooldown_time_ms'");
}

function refusePortClashes(given: CreateInstanceRequest): void {
  const ports = given.ports ?? [];
  if (ports.length > 0 && (given.replicas ?? 0) > 0) {
    throw exclusive("Cannot specify 'ports' with 'replicas': a port of the host leads to one instance");
  }
  const anywhere = "0.0.0.0";
  for (const [index, port] of ports.entries()) {
    const twin = ports.slice(0, index).find((other) => {
      const sameAddress = [port.host_address ?? anywhere, other.host_address ?? anywhere];
      return (
        other.host_port === port.host_port &&
        (other.protocol ?? "tcp") === (port.protocol ?? "tcp") &&
        (sameAddress[0] === sameAddress[1] || sameAddress.includes(anywhere))
      );
    });
    if (twin !== undefined) {
      throw exclusive(`Host port ${port.host_port}/${port.protocol ?? "tcp"} is given twice in 'ports'`);
    }
  }
}

/** A member that asks for nothing (an empty list, an "off") is let through. */
function refuseUnsupported(given: CreateInstanceRequest): void {
  const asksFor: Readonly<Record<string, boolean>> = {
    volumes: (given.volumes?.length ?? 0) > 0,
    roms: (given.roms?.length ?? 0) > 0,
    plugins: (given.plugins?.length ?? 0) > 0,
    template: given.template !== undefined,
    branch_from: given.branch_from !== undefined,
    checkpoint: given.checkpoint !== undefined,
    schedules: (given.schedules?.length ?? 0) > 0,
    autokill: (given.autokill?.time_ms ?? 0) > 0 || (given.autokill?.num_requests ?? 0) > 0,
    dependencies: (given.dependencies?.length ?? 0) > 0,
    sched_priority: (given.sched_priority ?? "normal") !== "normal",
    gateway: given.gateway !== undefined,
    nameserver: given.nameserver !== undefined,
    network_interfaces: (given.network_interfaces?.length ?? 0) > 0,
    gpus: (given.gpus ?? 0) > 0,
  };
  for (const [member, asked] of Object.entries(asksFor)) if (asked) throw notSupported(member);
  if (given.type === "full")
    throw new UniError("not_supported", "Member 'type': 'full' is not supported yet");
  if (given.features?.includes("nested-virt")) {
    throw new UniError("not_supported", "Member 'features': 'nested-virt' is not supported yet");
  }
}
