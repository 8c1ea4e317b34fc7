import type { AutoscaleGroup, ScalePolicy } from "@uni/contract/resources/autoscale";
import { renderFields } from "../../render/table.ts";
import { getCommand } from "../../resource-commands.ts";

function policyText({ name, enabled, type, steps = [], ...policy }: ScalePolicy) {
  const { metric, adjustment_type, num_requests, replace, idle_time_ms, high_watermark } = policy;
  const words = [
    ...[type, metric, adjustment_type],
    ...steps.map(
      ({ lower_bound = 0, upper_bound, adjustment }) => `${lower_bound}..${upper_bound ?? ""}=${adjustment}`,
    ),
    ...[num_requests && `${num_requests} requests`, replace && "replace"],
    ...[idle_time_ms && `${idle_time_ms} ms`, high_watermark && `above ${high_watermark}`],
  ];
  return `${name}: ${words.filter(Boolean).join(" ")}${enabled === false ? " (off)" : ""}`;
}

const textOf = (group: AutoscaleGroup): string =>
  renderFields([
    ["name", group.name],
    ["uuid", group.uuid],
    ["scales", group.enabled ? "yes" : "no"],
    ["members", group.size === undefined ? undefined : `${group.size}`],
    ["bounds", group.enabled ? `${group.min_size} to ${group.max_size}` : undefined],
    ["warm-up", group.enabled ? `${group.warmup_time_ms} ms` : undefined],
    ["cool-down", group.enabled ? `${group.cooldown_time_ms} ms` : undefined],
    [
      "template",
      group.template === undefined ? undefined : (group.template.name ?? `${group.template.uuid} (gone)`),
    ],
    ["roms", group.roms?.join(" ")],
    ["policies", group.policies?.map(policyText).join("; ")],
    ["problem", group.problem],
  ]);

export const scaleGet = getCommand({
  examples: ["uni scale get shop", "uni scale get shop -o json"],
  many: "service groups",
  operation: "getAutoscaleConfigurations",
  key: "service_groups",
  text: textOf,
});
