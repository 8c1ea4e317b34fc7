import { UniError } from "@uni/contract/errors";
import type { WaitMs } from "./port.ts";

/** timeout_s wins over its deprecated predecessor, which is rounded up to seconds; -1 is no limit, absent is `otherwise`. */
export function waitMs(
  timeoutS: number | undefined,
  deprecatedMs: number | undefined,
  otherwise: WaitMs = 0,
): WaitMs {
  if (timeoutS !== undefined) return timeoutS === -1 ? Number.POSITIVE_INFINITY : timeoutS * 1000;
  if (deprecatedMs === undefined) return otherwise;
  return deprecatedMs === -1 ? Number.POSITIVE_INFINITY : Math.ceil(deprecatedMs / 1000) * 1000;
}

/** The value for the item at `index` of parallel query lists: by position, and a single one for all. */
export function atPosition<T>(
  values: readonly T[] | undefined,
  index: number,
  references: number,
  key: string,
): T | undefined {
  if (values === undefined || values.length === 0) return undefined;
  if (values.length === 1) return values[0];
  if (values.length > references) {
    throw new UniError(
      "too_many",
      `Member '${key}' is given ${values.length} times for ${references} references`,
    );
  }
  return values[index];
}
