import type { ScaleMetric } from "@uni/contract/enums";
import type { InstanceId, ServiceGroupId } from "@uni/contract/ids";
import type { RomPart } from "@uni/contract/resources/instance-parts";

export interface Step {
  /** For values from here on, */
  readonly from: number;
  /** and below this; null: without end. */
  readonly below: number | null;
  readonly adjustment: number;
}

interface Named {
  readonly name: string;
  readonly enabled: boolean;
  /** Part of the most members: growth beyond it is told to clients; 0: it is not. */
  readonly highWatermark: number;
}

export interface StepPolicy extends Named {
  readonly type: "step";
  readonly metric: ScaleMetric;
  readonly adjust: "change" | "exact" | "percent";
  readonly steps: readonly Step[];
}

export interface IdlePolicy extends Named {
  readonly type: "idle";
  readonly idleMs: number;
}

export interface CreatePolicy extends Named {
  readonly type: "create";
  readonly numRequests: number;
  readonly replace: boolean;
}

export type Policy = StepPolicy | IdlePolicy | CreatePolicy | (Named & { readonly type: "on_demand" });

export interface Configuration {
  readonly minSize: number;
  readonly maxSize: number;
  readonly warmupMs: number;
  readonly cooldownMs: number;
  readonly template: InstanceId;
  /** As they were asked for: what is on them is looked up for each member. */
  readonly roms: readonly RomPart[];
  readonly policies: readonly Policy[];
}

export interface ScaleRecord {
  readonly group: ServiceGroupId;
  readonly configuration: Configuration;
  /** It was deleted, and goes with the last member that was made for it. */
  readonly leaving: boolean;
}
