/** What a create request may not combine, and which of its members belong to features that are not there yet. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import { CreateInstanceRequest } from "@uni/contract/resources/instance";
import { refuseMixedSources, refuseTemplateContradictions, sourceOf } from "./create-sources.ts";
import { readImage } from "./image-rules.ts";
import { readRoms } from "./rom-rules.ts";
import { validate } from "./validate.ts";
import { waitMs } from "./waiting.ts";

/** The request in one form: image a string where nothing is said of its pull, args a list, tags without repeats; or the reason why it is refused. */
export function readCreateRequest(request: CreateInstanceRequest, depth = 0): CreateInstanceRequest {
  const { pull_policy: policy, ...given } = request;
  refuseContradictions(given);
  refuseUnsupported(given);
  const isOfImage = sourceOf(given) === undefined;
  if (policy !== undefined && given.image === undefined) {
    throw exclusive("Member 'pull_policy' needs 'image'");
  }
  if (isOfImage && given.image === undefined) throw new UniError("invalid_value", "Missing member 'image'");
  return {
    ...given,
    ...(given.image === undefined ? {} : { image: readImage(given.image, policy) }),
    ...(given.template === undefined ? {} : { template: readTemplate(given.template, depth) }),
    ...(typeof given.args === "string" ? { args: [given.args] } : {}),
    ...(given.roms === undefined ? {} : { roms: readRoms(given.roms) }),
    ...(given.tags === undefined ? {} : { tags: [...new Set(given.tags)] }),
  };
}

export function notSupported(member: string): UniError {
  return new UniError("not_supported", `Member '${member}' is not supported yet`);
}

/** How many templates may be prepared for one another in one request. */
const deepest = 16;

/** What it is prepared of is a request of its own, in the same form. */
function readTemplate(
  part: NonNullable<CreateInstanceRequest["template"]>,
  depth: number,
): NonNullable<CreateInstanceRequest["template"]> {
  refuseTemplateContradictions(part);
  if (part.create_args === undefined) return part;
  if (depth >= deepest) {
    throw new UniError("too_many", `Member 'create_args' is nested more than ${deepest} times`);
  }
  const args = validate(
    CreateInstanceRequest,
    { ...part.create_args, autostart: true },
    "Member 'create_args'",
  );
  for (const member of ["service_group", "timeout_s", "wait_timeout_ms", "replicas"] as const) {
    if (args[member] !== undefined) throw exclusive(`Member '${member}' does not go into 'create_args'`);
  }
  return { ...part, create_args: { ...readCreateRequest(args, depth + 1) } };
}

const exclusive = (message: string) => new UniError("exclusive", message);

function refuseContradictions(given: CreateInstanceRequest): void {
  refuseMixedSources(given);
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
    plugins: (given.plugins?.length ?? 0) > 0,
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
