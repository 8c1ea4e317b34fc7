import Type, { type Static } from "typebox";
import { scaleAdjustments, scaleMetrics, scalePolicyTypes } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { limits } from "../limits.ts";
import { answer, count, integer, list, nameText, note, request, words } from "../schema.ts";
import { RomPart, RomParts } from "./instance-parts.ts";
import { NameOrUuid, referenceMembers } from "./reference.ts";

const { size, timeMs, bound, adjustment, requests } = limits.scale;

export const ScaleStep = request({
  lower_bound: Type.Optional(integer("The step is for values from here on; absent: from 0", bound)),
  upper_bound: Type.Optional(integer("and below this; absent: without end", bound)),
  adjustment: integer("Members more or fewer, how many, or percent more or fewer", adjustment),
});
export type ScaleStep = Static<typeof ScaleStep>;

const policyMembers = {
  enabled: Type.Optional(Type.Boolean({ description: "Default true" })),
  metric: Type.Optional(words(scaleMetrics, "step: of one member on average; default cpu (millicores)")),
  adjustment_type: Type.Optional(words(scaleAdjustments, "step: default change")),
  steps: Type.Optional(list(ScaleStep, "step: sorted, without gap or overlap", limits.scale.steps)),
  num_requests: Type.Optional(integer("create: for each member that has served more than so many", requests)),
  replace: Type.Optional(
    Type.Boolean({ description: "create: that member goes once the new one runs; default false" }),
  ),
  high_watermark: Type.Optional(
    Type.Number({
      ...{ minimum: 0, maximum: 1 },
      description:
        "Part of max_size: growth beyond it is told to clients (Autoscale-Info); default 0: it is not",
    }),
  ),
  idle_time_ms: Type.Optional(integer("idle: without requests for so long; default 1000", timeMs)),
};

const policyName = nameText("Unique in the configuration");
const PolicyType = words(scalePolicyTypes, "Default step");

export const ScalePolicy = request({
  name: policyName,
  type: Type.Optional(PolicyType),
  ...policyMembers,
});
export type ScalePolicy = Static<typeof ScalePolicy>;

/** Clients send the members of the policy here, or in an object of their own as `type`. */
export const CreateScalePolicyBody = request({
  name: policyName,
  type: Type.Optional(
    Type.Union([
      PolicyType,
      request({ name: Type.Optional(policyName), type: Type.Optional(PolicyType), ...policyMembers }),
    ]),
  ),
  ...policyMembers,
});
export type CreateScalePolicyBody = Static<typeof CreateScalePolicyBody>;

const settings = {
  min_size: Type.Optional(integer("Default 1; 0: the first member is made when somebody asks for it", size)),
  max_size: Type.Optional(integer("Default 4; at least 1", size)),
  warmup_time_ms: Type.Optional(integer("Pause after members were added; default 1000", timeMs)),
  cooldown_time_ms: Type.Optional(
    integer(
      "Pause after members were removed, and how long these may finish what they have; default 1000",
      timeMs,
    ),
  ),
  create_args: Type.Optional(
    request(
      { template: Type.Optional(NameOrUuid), roms: Type.Optional(Type.Union([RomPart, RomParts])) },
      "What members are made of: a template, and ROMs beside those of the template or in place of them",
    ),
  ),
  template: Type.Optional(NameOrUuid),
  policies: Type.Optional(list(ScalePolicy, "Absent: those that are there stay", limits.scale.policies)),
};

export const SetAutoscaleBody = request({ ...referenceMembers, ...settings });
export type SetAutoscaleBody = Static<typeof SetAutoscaleBody>;

export const DeleteScalePolicyBody = request({ name: policyName });

const identity = { uuid: Type.Optional(Type.String()), name: Type.Optional(Type.String()) };

export const AutoscaleGroup = answer({
  ...outcomeMembers,
  ...identity,
  enabled: Type.Boolean({ description: "False: there is no configuration, and the rest is left out" }),
  min_size: Type.Optional(count("Members at least")),
  max_size: Type.Optional(count("Members at most")),
  warmup_time_ms: Type.Optional(count("Pause after members were added")),
  cooldown_time_ms: Type.Optional(count("Pause after members were removed")),
  template: Type.Optional(answer({ uuid: Type.String(), name: Type.Optional(Type.String()) })),
  policies: Type.Optional(Type.Array(ScalePolicy)),
  roms: Type.Optional(
    Type.Array(Type.String(), note("Uni: names of the ROMs that each new member is given")),
  ),
  size: Type.Optional(count("Uni: members that it counts now")),
  problem: Type.Optional(Type.String(note("Uni: why members cannot be made now"))),
});
export type AutoscaleGroup = Static<typeof AutoscaleGroup>;

export const ChangedAutoscale = answer({ ...outcomeMembers, ...identity });
export const ShownScalePolicy = answer({
  ...outcomeMembers,
  ...identity,
  policy: Type.Optional(ScalePolicy),
});
