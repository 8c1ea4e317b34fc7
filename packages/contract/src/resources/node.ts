import Type, { type Static } from "typebox";
import { accelerators, healthStates } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { answer, count, words } from "../schema.ts";

export const HealthzData = answer({
  checks: Type.Optional(Type.Record(Type.String(), words(healthStates), { description: "State per part" })),
  versions: Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: "Version per component" }),
  ),
  accelerator: Type.Optional(
    answer({
      name: words(accelerators),
      reason: Type.Optional(Type.String({ description: "Why KVM is not used" })),
    }),
  ),
});
export type HealthzData = Static<typeof HealthzData>;

const QuotasStats = answer({
  instances: count("All instances"),
  live_instances: count("Those that are not stopped"),
  live_vcpus: count("Of live instances"),
  live_memory_mb: count("Of live instances"),
  service_groups: count("Service groups"),
  services: count("Published ports"),
  volumes: count("Volumes"),
  total_volume_mb: count("Size of all volumes"),
});

export const Quotas = answer({
  ...outcomeMembers,
  uuid: Type.String({ description: "Account" }),
  used: QuotasStats,
  hard: QuotasStats,
  limits: answer({
    min_memory_mb: count("Per instance"),
    max_memory_mb: count("Per instance"),
    min_volume_mb: count("Per volume"),
    max_volume_mb: count("Per volume"),
    min_autoscale_size: count("Instances"),
    max_autoscale_size: count("Instances"),
    min_vcpus: count("Per instance"),
    max_vcpus: count("Per instance"),
  }),
});
export type Quotas = Static<typeof Quotas>;

export const Metro = answer({
  uuid: Type.String(),
  endpoint: Type.String({ description: "Base URL of the API" }),
  name: Type.String(),
  iata_code: Type.String({ description: "What people type" }),
  country: Type.String(),
});
export type Metro = Static<typeof Metro>;
