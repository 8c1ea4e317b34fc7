/** What a request says of a configuration, checked. Pure. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { ScalePolicy, ScaleStep, SetAutoscaleBody } from "@uni/contract/resources/autoscale";
import type { Configuration, Policy, Step } from "./record.ts";

const { size, timeMs } = limits.scale;

/** What members are to be made of. */
export type MadeOf = Pick<Configuration, "template" | "roms">;

export function configurationOf(
  request: SetAutoscaleBody,
  { template, roms }: MadeOf,
  before: readonly Policy[],
): Configuration {
  const {
    min_size: minSize = size.defaultMin,
    max_size: maxSize = Math.max(size.defaultMax, minSize),
    warmup_time_ms: warmupMs = timeMs.default,
    cooldown_time_ms: cooldownMs = timeMs.default,
  } = request;
  if (minSize > maxSize) {
    throw new UniError(
      "invalid_value",
      `Member 'min_size' (${minSize}) must not be above 'max_size' (${maxSize})`,
    );
  }
  if (maxSize === 0) throw new UniError("invalid_value", "Member 'max_size' must be at least 1");
  const policies = (request.policies ?? []).reduce<readonly Policy[]>(withPolicy, []);
  return {
    ...{ minSize, maxSize, warmupMs, cooldownMs, template, roms },
    policies: request.policies === undefined ? before : policies,
  };
}

/** One more; its name must be free. */
export function withPolicy(policies: readonly Policy[], request: ScalePolicy): Policy[] {
  if (policies.some(({ name }) => name === request.name)) {
    throw new UniError("already_exists", `add policy '${request.name}': the name is taken`, {
      hint: "Remove that policy first, or choose another name.",
    });
  }
  if (policies.length >= limits.scale.policies) {
    throw new UniError("too_many", `add policy '${request.name}': ${limits.scale.policies} are the most`);
  }
  return [...policies, policyOf(request)];
}

function policyOf(request: ScalePolicy): Policy {
  const { name, enabled = true, type = "step", high_watermark: highWatermark = 0 } = request;
  refuseOthers(request, type);
  const named = { name, enabled, highWatermark };
  if (type === "on_demand") return { ...named, type };
  if (type === "idle") return { ...named, type, idleMs: request.idle_time_ms ?? timeMs.default };
  if (type === "create") {
    const { num_requests: numRequests, replace = false } = request;
    if (numRequests !== undefined) return { ...named, type, numRequests, replace };
    throw new UniError("invalid_value", `Policy '${name}': member 'num_requests' is needed`);
  }
  const { metric = "cpu", adjustment_type: adjustment = "change" } = request;
  const adjust = adjustment === "percentage" ? "percent" : adjustment;
  return { ...named, type, metric, adjust, steps: stepsOf(name, request.steps ?? [], adjust) };
}

const memberTypes = {
  metric: "step",
  adjustment_type: "step",
  steps: "step",
  num_requests: "create",
  replace: "create",
  idle_time_ms: "idle",
} as const;

function refuseOthers(request: ScalePolicy, type: Policy["type"]): void {
  if ((request.high_watermark ?? 0) > 0 && (type === "idle" || request.replace === true)) {
    throw new UniError(
      "invalid_value",
      `Policy '${request.name}': member 'high_watermark' goes with policies that add members`,
    );
  }
  for (const [member, owner] of Object.entries(memberTypes)) {
    if (owner === type || request[member as keyof typeof memberTypes] === undefined) continue;
    throw new UniError(
      "invalid_value",
      `Policy '${request.name}': member '${member}' goes with type '${owner}', not with '${type}'`,
    );
  }
}

function stepsOf(name: string, given: readonly ScaleStep[], adjust: "change" | "exact" | "percent"): Step[] {
  const refuse = (what: string) => new UniError("invalid_value", `Policy '${name}': ${what}`);
  if (given.length === 0) throw refuse("a step is needed");
  const steps = given.map(({ lower_bound, upper_bound, adjustment }) => ({
    from: lower_bound ?? 0,
    below: upper_bound ?? null,
    adjustment,
  }));
  steps.forEach(({ from, below, adjustment }, index) => {
    const next = steps[index + 1];
    if (below !== null && below <= from) throw refuse(`step ${index + 1} is empty`);
    if (next !== undefined && next.from !== below) {
      throw refuse(`step ${index + 2} must begin where step ${index + 1} ends`);
    }
    if (adjust === "exact" && adjustment < 0) throw refuse(`step ${index + 1} asks for less than no member`);
  });
  return steps;
}
