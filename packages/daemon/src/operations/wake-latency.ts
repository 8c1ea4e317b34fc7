/** How long wakes took, per instance, as the documented histogram: from the packet or call until it ran. */
import type { InstanceId } from "@uni/contract/ids";

export interface LatencyHistogram {
  /** Not cumulative. `bucketMs`: upper bound; null: above all. */
  readonly buckets: readonly { readonly bucketMs: number | null; readonly count: number }[];
  readonly sumMs: number;
}

const bounds: readonly (number | null)[] = [...Array.from({ length: 13 }, (_, power) => 2 ** power), null];

export class WakeLatencies {
  readonly #byInstance = new Map<InstanceId, { counts: number[]; sumMs: number }>();

  record(id: InstanceId, latencyMs: number): void {
    const known = this.#byInstance.get(id) ?? { counts: bounds.map(() => 0), sumMs: 0 };
    const index = bounds.findIndex((bound) => bound === null || latencyMs <= bound);
    known.counts[index] = (known.counts[index] ?? 0) + 1;
    known.sumMs += latencyMs;
    this.#byInstance.set(id, known);
  }

  of(id: InstanceId): LatencyHistogram {
    const known = this.#byInstance.get(id);
    return {
      buckets: bounds.map((bucketMs, index) => ({ bucketMs, count: known?.counts[index] ?? 0 })),
      sumMs: Math.round(known?.sumMs ?? 0),
    };
  }

  forget(id: InstanceId): void {
    this.#byInstance.delete(id);
  }
}
