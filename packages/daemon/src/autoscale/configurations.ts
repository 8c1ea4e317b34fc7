/** The configurations of service groups, in memory and in the store; memory follows the store. */
import { asServiceGroupId, type ServiceGroupId } from "@uni/contract/ids";
import { TaskQueue } from "../base/task-queue.ts";
import * as rows from "../store/autoscale.ts";
import type { Database } from "../store/open.ts";
import type { Configuration, ScaleRecord } from "./record.ts";

export class Configurations {
  readonly #db: Database;
  readonly #records = new Map<ServiceGroupId, ScaleRecord>();
  readonly #problems = new Map<ServiceGroupId, string>();
  readonly #changes = new TaskQueue();
  readonly #listeners = new Set<() => void>();

  private constructor(db: Database) {
    this.#db = db;
  }

  static async open(db: Database): Promise<Configurations> {
    const all = new Configurations(db);
    for (const { service_group, content } of await rows.listAutoscale(db)) {
      const group = asServiceGroupId(service_group);
      all.#records.set(group, { group, ...fromContent(content) });
    }
    return all;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Also those that are leaving. */
  all(): ScaleRecord[] {
    return [...this.#records.values()];
  }

  find(group: ServiceGroupId): Configuration | undefined {
    const record = this.#records.get(group);
    return record === undefined || record.leaving ? undefined : record.configuration;
  }

  /** `make` gets the configuration as it then is, and throws to leave it so. */
  set(
    group: ServiceGroupId,
    make: (before: Configuration | undefined) => Configuration,
  ): Promise<Configuration> {
    return this.#change(async () => {
      const configuration = make(this.find(group));
      await this.#save({ group, configuration, leaving: false });
      this.#problems.delete(group);
      return configuration;
    });
  }

  /** From now on members that were made for it go; false: there is none. */
  leave(group: ServiceGroupId): Promise<boolean> {
    return this.#change(async () => {
      const configuration = this.find(group);
      if (configuration === undefined) return false;
      await this.#save({ group, configuration, leaving: true });
      return true;
    });
  }

  /** Unless it came back meanwhile. */
  drop(group: ServiceGroupId, onlyLeaving: boolean): Promise<void> {
    return this.#change(async () => {
      if (onlyLeaving && this.find(group) !== undefined) return;
      await rows.deleteAutoscale(this.#db, group);
      this.#records.delete(group);
      this.#problems.delete(group);
    });
  }

  /** Why members cannot be made now; undefined: they can. Not stored: the next daemon finds out again. */
  note(group: ServiceGroupId, problem: string | undefined): void {
    if (problem === undefined) this.#problems.delete(group);
    else this.#problems.set(group, problem);
  }

  problemOf(group: ServiceGroupId): string | undefined {
    return this.#problems.get(group);
  }

  async #save(record: ScaleRecord): Promise<void> {
    const { group, ...content } = record;
    await rows.saveAutoscale(this.#db, group, JSON.stringify(content));
    this.#records.set(group, record);
  }

  async #change<T>(task: () => Promise<T>): Promise<T> {
    const result = await this.#changes.run(task);
    for (const listener of [...this.#listeners]) listener();
    return result;
  }
}

/** With what a record of an older version does not have yet. */
function fromContent(content: string): Omit<ScaleRecord, "group"> {
  const { configuration, leaving } = JSON.parse(content) as Omit<ScaleRecord, "group">;
  const policies = configuration.policies.map((policy) => ({ ...{ highWatermark: 0 }, ...policy }));
  return { leaving, configuration: { ...{ roms: [] }, ...configuration, policies } };
}
