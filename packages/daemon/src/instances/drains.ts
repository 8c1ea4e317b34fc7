/** Instances that are about to stop or sleep and only finish what they have. Not stored: a daemon's end is the end of it. */
import type { InstanceId } from "@uni/contract/ids";
import type { InstanceRecord } from "./record.ts";

export type DrainGoal = "stop" | "sleep";

export class Drains {
  readonly #goals = new Map<InstanceId, DrainGoal[]>();

  /** The returned function ends it. */
  begin(id: InstanceId, goal: DrainGoal): () => void {
    const goals = this.#goals.get(id) ?? [];
    this.#goals.set(id, goals);
    goals.push(goal);
    return () => {
      goals.splice(goals.indexOf(goal), 1);
      if (goals.length === 0) this.#goals.delete(id);
    };
  }

  /** What comes meanwhile can still be answered: now, or by waking it. */
  fallsAsleep(id: InstanceId): boolean {
    return this.#goals.get(id)?.every((goal) => goal === "sleep") === true;
  }

  /** The record as it is shown: one that runs is `draining`. */
  shown(record: InstanceRecord): InstanceRecord {
    if (record.status.state !== "running" || !this.#goals.has(record.id)) return record;
    return { ...record, status: { ...record.status, state: "draining" } };
  }
}
