/** Labels of an image that say how its instances are to be, where a request does not say it. */
import { scaleToZeroPolicies } from "./enums.ts";
import { UniError } from "./errors.ts";
import { limits } from "./limits.ts";
import type { ScaleToZeroPart } from "./resources/instance-parts.ts";

const prefix = "cloud.unikraft.v1.instances/scale_to_zero.";

/** Undefined where no label speaks of it. */
export function sleepOfLabels(labels: Readonly<Record<string, string>>): ScaleToZeroPart | undefined {
  const read = <T>(name: string, expected: string, parse: (text: string) => T | undefined): T | undefined => {
    const text = Object.hasOwn(labels, `${prefix}${name}`) ? labels[`${prefix}${name}`] : undefined;
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value !== undefined) return value;
    throw new UniError(
      "invalid_value",
      `read the label ${prefix}${name}: '${text.slice(0, 100)}' is not ${expected}`,
      { hint: "Build the image with another label, or say how the instance is to sleep when you make it." },
    );
  };
  const time = `a number of milliseconds up to ${limits.cooldownMs.maximum}`;
  const part: ScaleToZeroPart = {
    policy: read("policy", scaleToZeroPolicies.join(", "), (text) =>
      scaleToZeroPolicies.find((policy) => policy === text),
    ),
    stateful: read("stateful", "true or false", (text) =>
      text === "true" ? true : text === "false" ? false : undefined,
    ),
    cooldown_time_ms: read("cooldown_time_ms", time, readTime),
    notify_time_ms: read("notify_time_ms", time, readTime),
  };
  const given = Object.entries(part).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function readTime(text: string): number | undefined {
  if (!/^[0-9]{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= limits.cooldownMs.maximum ? value : undefined;
}
