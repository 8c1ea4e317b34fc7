/** A scale-to-zero setting from its wire form: what is not said has its default, what contradicts itself is refused. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { ScaleToZeroPart } from "@uni/contract/resources/instance-parts";
import type { InstanceSpec, ScaleToZero } from "./record.ts";

export function readScaleToZero(part: ScaleToZeroPart, before?: ScaleToZero | null): ScaleToZero {
  const setting: ScaleToZero = {
    policy: part.policy ?? before?.policy ?? "off",
    stateful: part.stateful ?? before?.stateful ?? false,
    cooldownMs: part.cooldown_time_ms ?? before?.cooldownMs ?? limits.cooldownMs.default,
    notifyMs: part.notify_time_ms ?? before?.notifyMs ?? 0,
  };
  if (setting.notifyMs > 0 && setting.notifyMs >= setting.cooldownMs) {
    throw new UniError(
      "invalid_value",
      `scale to zero: 'notify_time_ms' (${setting.notifyMs}) is not below 'cooldown_time_ms' (${setting.cooldownMs})`,
      { hint: "The guest is told before the cooldown is over: make it longer." },
    );
  }
  return setting;
}

/** What is deleted once it stops has nothing to come back from. */
export function refuseSleepOfPassing(spec: Pick<InstanceSpec, "features">, setting: ScaleToZero): void {
  if (setting.policy === "off" || !spec.features.includes("delete-on-stop")) return;
  throw new UniError("exclusive", "Cannot specify 'scale_to_zero' with feature 'delete-on-stop'");
}

/** It sleeps by itself. */
export const mayScaleToZero = ({ scaleToZero }: InstanceSpec): boolean =>
  scaleToZero !== null && scaleToZero.policy !== "off";

/** A sleep that its policy began throws the memory away unless it is stateful. */
export const keepsMemory = ({ scaleToZero }: InstanceSpec): boolean => scaleToZero?.stateful ?? true;
