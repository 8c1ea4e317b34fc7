/** Instances that are about to stop or sleep and only finish what they have. Not stored: a daemon's end is the end of it. */
import type { InstanceId } from "@uni/contract/ids";
import type { InstanceRecord } from "./record.ts";

export class Drains {
  readonly #counts = new Map<InstanceId, number>();

  /** The returned function ends it. */
  begin(id: InstanceId): () => void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    return () => {
      const left = (this.#counts.get(id) ?? 1) - 1;
      if (left > 0) this.#counts.set(id, left);
      else this.#counts.delete(id);
    };
  }

  /** The record as it is shown: one that runs is `draining`. */
  shown(record: InstanceRecord): InstanceRecord {
    if (record.status.state !== "running" || !this.#counts.has(record.id)) return record;
    return { ...record, status: { ...record.status, state: "draining" } };
  }
}
