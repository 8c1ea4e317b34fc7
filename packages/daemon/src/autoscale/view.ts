import type { AutoscaleGroup, ScalePolicy } from "@uni/contract/resources/autoscale";
import type { Configuration, Policy } from "./record.ts";

export function viewPolicy(policy: Policy): ScalePolicy {
  const { name, enabled, type, highWatermark: high_watermark } = policy;
  const named = { name, enabled, ...(high_watermark === 0 ? {} : { high_watermark }) };
  if (type === "on_demand") return { ...named, type };
  if (type === "idle") return { ...named, type, idle_time_ms: policy.idleMs };
  if (type === "create") {
    return { ...named, type, num_requests: policy.numRequests, replace: policy.replace };
  }
  const steps = policy.steps.map(({ from, below, adjustment }) => ({
    lower_bound: from,
    ...(below === null ? {} : { upper_bound: below }),
    adjustment,
  }));
  return { ...named, type, metric: policy.metric, adjustment_type: policy.adjust, steps };
}

export const viewConfiguration = (
  { minSize, maxSize, warmupMs, cooldownMs, template, roms, policies }: Configuration,
  templateName: string | undefined,
): Omit<AutoscaleGroup, "enabled"> => ({
  min_size: minSize,
  max_size: maxSize,
  warmup_time_ms: warmupMs,
  cooldown_time_ms: cooldownMs,
  template: { uuid: template, ...(templateName === undefined ? {} : { name: templateName }) },
  ...(roms.length === 0 ? {} : { roms: roms.map(({ name }) => name) }),
  policies: policies.map(viewPolicy),
});
