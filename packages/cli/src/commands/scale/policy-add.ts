import { scaleMetrics } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { ScalePolicy, ScaleStep } from "@uni/contract/resources/autoscale";
import { envelopeItems } from "@uni/sdk/envelope-items";
import { Option } from "commander";
import type { CommandModule } from "../../define.ts";
import { parseCount } from "../../parse/count.ts";
import { parsePart } from "../../parse/part.ts";
import { collectSteps } from "../../parse/scale-step.ts";
import { parseSeconds } from "../../parse/time-span.ts";
import { groupUuid } from "./group-uuid.ts";

const { requests } = limits.scale;

interface Options extends Pick<ScalePolicy, "metric"> {
  readonly step?: readonly ScaleStep[];
  readonly adjust?: "change" | "exact" | "percent";
  readonly onDemand?: true;
  readonly create?: number;
  readonly replace?: true;
  readonly idle?: number;
  readonly highWatermark?: number;
}

const policyOf = (name: string, { highWatermark, ...options }: Options): ScalePolicy => ({
  ...kindOf(name, options),
  ...(highWatermark === undefined ? {} : { high_watermark: highWatermark }),
});

function kindOf(name: string, options: Options): ScalePolicy {
  const { step, metric, adjust, onDemand, create, replace, idle } = options;
  const kinds = [step, onDemand, create, idle].filter((kind) => kind !== undefined).length;
  const ofSteps = metric !== undefined || adjust !== undefined;
  if (kinds !== 1 || (ofSteps && step === undefined) || (replace && create === undefined)) {
    const kinds = "--step, --on-demand, --create and --idle";
    throw new UniError("malformed", `adding policy '${name}': it is one of ${kinds}`, {
      hint: "--metric and --adjust go with --step, --replace with --create.",
    });
  }
  if (onDemand) return { name, type: "on_demand" };
  if (create !== undefined) {
    return { name, type: "create", num_requests: create, ...(replace && { replace }) };
  }
  if (idle !== undefined) return { name, type: "idle", idle_time_ms: Math.round(idle * 1000) };
  return {
    ...{ name, type: "step", steps: [...(step ?? [])] },
    ...(metric === undefined ? {} : { metric }),
    ...(adjust === undefined ? {} : { adjustment_type: adjust }),
  };
}

export const scalePolicyAdd: CommandModule = {
  examples: [
    "uni scale policy add shop now --on-demand",
    "uni scale policy add shop early --on-demand --high-watermark 0.8",
    "uni scale policy add shop quiet --idle 1m",
    "uni scale policy add shop worn --create 10000 --replace",
    "uni scale policy add shop busy --metric inflight_reqs --step ..2=-1 --step 2..8=0 --step 8..=+2",
  ],
  define(command, act) {
    command
      .argument("<group>", "service group")
      .argument("<name>", "of the policy")
      .option("--on-demand", "a member more at once when none is free")
      .option(
        "--create <requests>",
        "a member more for each that has served more than so many",
        parseCount(requests.minimum, requests.maximum),
      )
      .option("--replace", "with --create: that member goes once the new one runs")
      .option(
        "--high-watermark <part>",
        "tell clients (Autoscale-Info) of growth beyond this part of the most members, such as 0.8",
        parsePart,
      )
      .option("--idle <span>", "members go after so long without requests", parseSeconds)
      .option(
        "--step <from..below=members>",
        "members more or fewer for values in a range; repeatable",
        collectSteps,
      )
      .addOption(
        new Option("--metric <metric>", "of one member on average (default: cpu)").choices(scaleMetrics),
      )
      .addOption(
        new Option("--adjust <how>", "what the steps' numbers are (default: change)").choices([
          "change",
          "exact",
          "percent",
        ]),
      )
      .action(
        act(async (context, group: string, name: string, options: Options) => {
          const { client, out, signal } = context;
          const body = policyOf(name, options);
          const uuid = await groupUuid(context, group);
          const params = { uuid, body };
          const envelope = await client.operation("createAutoscaleConfigurationPolicy", params, { signal });
          const [added] = envelopeItems<{ name: string }>(envelope, "policies", `adding policy '${name}'`);
          await out.show(added, { text: () => `${added?.name}\n` });
        }),
      );
  },
};
