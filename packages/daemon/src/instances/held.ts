/** What may be done with an instance while nothing else happens to it; see `InstanceOwner.hold`. */
import type { InstanceId } from "@uni/contract/ids";
import type { LiveInstance } from "./lifecycle.ts";
import type { InstanceOwner } from "./owner.ts";
import type { InstanceRecord, InstanceSpec, Origin } from "./record.ts";

export interface GoBack {
  readonly spec: Partial<InstanceSpec>;
  readonly origin: Origin;
}

export interface HeldInstance {
  readonly record: () => InstanceRecord;
  readonly live: () => LiveInstance | undefined;
  /** Aborts for what ends its run. */
  readonly signal: AbortSignal;
  /** Its machine ends, and it is about to start from there: `run` is to follow. */
  goBack(to: GoBack): Promise<void>;
  run(): Promise<void>;
  /** It is an instance no more. `take` removes its record; if that fails all is as before. */
  turnInto(take: () => Promise<void>): Promise<void>;
}

/** Holds several at once. Always in the order of their ids, so that two who want the same ones never wait for each other. */
export function holdAll<T>(
  owners: { of(id: InstanceId): InstanceOwner },
  ids: readonly InstanceId[],
  body: (held: readonly HeldInstance[]) => Promise<T>,
): Promise<T> {
  const hold = (left: readonly InstanceId[], held: readonly HeldInstance[]): Promise<T> => {
    const [next, ...rest] = left;
    if (next === undefined) return body(held);
    return owners.of(next).hold((one) => hold(rest, [...held, one]));
  };
  return hold([...new Set(ids)].sort(), []);
}
