import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";

/** Not running, and not going to by itself. */
export const isOver = (record: InstanceRecord): boolean =>
  record.status.state === "stopped" && record.status.restart === null;

/** How many ended runs of deleted instances are remembered for those who ask late. */
const remembered = 1000;

/** Answers how an instance's run ended, also when the instance deleted itself in the meantime. */
export class ExitWatch {
  readonly #registry: Registry;
  readonly #gone = new Map<InstanceId, InstanceRecord>();

  constructor(registry: Registry) {
    this.#registry = registry;
    registry.onChange((after, before) => {
      if (after !== undefined || before === undefined) return;
      this.#gone.set(before.id, before);
      const [oldest] = this.#gone.keys();
      if (this.#gone.size > remembered && oldest !== undefined) this.#gone.delete(oldest);
    });
  }

  /** The record of an instance that was deleted not long ago. */
  findGone(id: InstanceId): InstanceRecord | undefined {
    return this.#gone.get(id);
  }

  async wait(id: InstanceId, signal: AbortSignal): Promise<InstanceRecord> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<InstanceRecord>();
    const check = () => {
      const record = this.#registry.find(id);
      if (record === undefined) {
        const gone = this.#gone.get(id);
        if (gone !== undefined) resolve(gone);
        else reject(new UniError("not_found", `No instance with uuid '${id}'`));
      } else if (isOver(record)) resolve(record);
    };
    const unlisten = this.#registry.onChange((after, before) => {
      if ((after ?? before)?.id === id) check();
    });
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      check();
      return await promise;
    } finally {
      unlisten();
      signal.removeEventListener("abort", onAbort);
    }
  }
}
