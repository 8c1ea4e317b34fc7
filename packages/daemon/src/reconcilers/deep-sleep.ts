/**
 * Sends paused sleepers to disk: each after a while, and all of them, the oldest first, while the host is short of memory.
 * One timer for the one that is due next; memory is looked at only while somebody sleeps paused.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Watch } from "../base/watch.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";

export interface DeepSleepDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
  readonly clock: Clock;
  readonly log: Log;
  readonly afterMs: number;
  readonly isShortOfMemory: () => Promise<boolean>;
}

const lookAtMemoryMs = 5_000;
/** One that could not be written down is tried again after this. */
const againMs = 30_000;

export class DeepSleep {
  readonly #deps: DeepSleepDependencies;
  readonly #unlisten: () => void;
  readonly #notBefore = new Map<string, number>();
  readonly #watch: Watch;

  constructor(deps: DeepSleepDependencies) {
    this.#deps = deps;
    this.#watch = new Watch({
      clock: deps.clock,
      look: () => this.#work(),
      nextMs: () => this.#nextMs(),
      onError: (error) => deps.log.error({ err: error }, "sending sleepers to disk failed"),
    });
    this.#unlisten = deps.registry.onChange((after, before) => {
      if (after !== undefined && isPaused(after) && !(before !== undefined && isPaused(before)))
        this.#watch.plan();
    });
    this.#watch.plan();
  }

  async close(): Promise<void> {
    this.#unlisten();
    await this.#watch.close();
  }

  #nextMs(): number | undefined {
    const { registry, clock } = this.#deps;
    const due = registry
      .all()
      .filter(isPaused)
      .map((record) => this.#dueAt(record));
    if (due.length === 0) return undefined;
    return Math.min(lookAtMemoryMs, Math.max(0, Math.min(...due) - clock.now()));
  }

  #dueAt(record: InstanceRecord): number {
    const since = record.status.sleep?.since ?? 0;
    return Math.max(since + this.#deps.afterMs, this.#notBefore.get(record.id) ?? 0);
  }

  /** One after the other: each writes memory to disk, and the next look at memory sees what it freed. */
  async #work(): Promise<void> {
    const { registry, owners, clock, log, isShortOfMemory } = this.#deps;
    const sleepers = registry.all().filter(isPaused);
    sleepers.sort((a, b) => (a.status.sleep?.since ?? 0) - (b.status.sleep?.since ?? 0));
    for (const { id } of this.#forgetOthers(sleepers)) {
      const record = registry.find(id);
      if (this.#watch.isClosed || record === undefined || !isPaused(record)) continue;
      const isTried = (this.#notBefore.get(id) ?? 0) > clock.now();
      if (isTried || (this.#dueAt(record) > clock.now() && !(await isShortOfMemory()))) continue;
      try {
        await owners.of(id).sleepDeeper();
      } catch (error) {
        this.#notBefore.set(id, clock.now() + againMs);
        log.warn({ err: error, instance: id }, "a sleeper could not be written to disk");
      }
    }
  }

  #forgetOthers(sleepers: readonly InstanceRecord[]): readonly InstanceRecord[] {
    const ids = new Set<string>(sleepers.map(({ id }) => id));
    for (const id of this.#notBefore.keys()) if (!ids.has(id)) this.#notBefore.delete(id);
    return sleepers;
  }
}

const isPaused = ({ status }: InstanceRecord): boolean =>
  status.state === "standby" && status.sleep?.tier === "paused";
