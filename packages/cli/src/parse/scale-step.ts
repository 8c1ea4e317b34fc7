import type { ScaleStep } from "@uni/contract/resources/autoscale";
import { InvalidArgumentError } from "commander";

/** `FROM..BELOW=NUMBER`, such as `..200=-1`, `200..800=0` or `800..=+2`; repeatable. */
export function collectSteps(text: string, before: readonly ScaleStep[] | undefined): ScaleStep[] {
  const [, from, below, adjustment] = /^(\d{0,9})\.\.(\d{0,9})=([+-]?\d{1,5})$/.exec(text) ?? [];
  if (adjustment === undefined) {
    throw new InvalidArgumentError("Give a range and a number, such as ..200=-1, 200..800=0 or 800..=+2.");
  }
  const step = {
    ...(from === "" || from === undefined ? {} : { lower_bound: Number(from) }),
    ...(below === "" || below === undefined ? {} : { upper_bound: Number(below) }),
    adjustment: Number(adjustment),
  };
  return [...(before ?? []), step];
}
