/**
 * How often the guests of one family are copied: those that are forks of each other, directly or not. The host's other work
 * must not depend on how a program multiplies itself: a fork that had an allowance of its own would double it.
 */
import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import { requestsApartMs, requestsAtOnce } from "../guest/requests.ts";
import type { Registry } from "../instances/registry.ts";

export class ForkFamilies {
  readonly #clock: Clock;
  readonly #registry: Pick<Registry, "find">;
  /** By the oldest member: its family's forks, each counted with its time apart, reach to here. */
  readonly #spentToMs = new Map<InstanceId, number>();

  constructor(clock: Clock, registry: Pick<Registry, "find">) {
    this.#clock = clock;
    this.#registry = registry;
  }

  /** Resolves when this one may be copied: some of a family at once, then one each second. */
  async turn(id: InstanceId): Promise<void> {
    const oldest = this.#oldest(id);
    const now = this.#clock.monotonicUs() / 1000;
    for (const [family, spent] of this.#spentToMs) if (spent <= now) this.#spentToMs.delete(family);
    const spent = (this.#spentToMs.get(oldest) ?? now) + requestsApartMs;
    this.#spentToMs.set(oldest, spent);
    const waitMs = spent - requestsAtOnce * requestsApartMs - now;
    if (waitMs > 0) await this.#clock.sleep(waitMs);
  }

  /** An ancestor that is gone still stands for those that came of it. */
  #oldest(id: InstanceId): InstanceId {
    const parent = this.#registry.find(id)?.spec.forkedFrom ?? null;
    return parent === null ? id : this.#oldest(parent);
  }
}
