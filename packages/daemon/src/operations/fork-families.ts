/**
 * How often the guests of one family are copied: those that are forks of each other, directly or not. The host's other work
 * must not depend on how a program multiplies itself: a fork that had an allowance of its own would double it.
 */
import type { InstanceId } from "@uni/contract/ids";
import type { Allowance } from "../base/allowance.ts";
import type { Clock } from "../base/clock.ts";
import { requestAllowance } from "../guest/requests.ts";
import type { Registry } from "../instances/registry.ts";

export class ForkFamilies {
  readonly #clock: Clock;
  readonly #registry: Pick<Registry, "find">;
  /** By the oldest member. */
  readonly #allowances = new Map<InstanceId, Allowance>();

  constructor(clock: Clock, registry: Pick<Registry, "find">) {
    this.#clock = clock;
    this.#registry = registry;
  }

  /** Resolves when this one may be copied: some of a family at once, then one each second. */
  async turn(id: InstanceId): Promise<void> {
    const oldest = this.#registry.find(id)?.spec.forkFamily ?? id;
    const now = this.#clock.monotonicUs() / 1000;
    for (const [family, each] of this.#allowances) if (each.isWhole(now)) this.#allowances.delete(family);
    const allowance = this.#allowances.get(oldest) ?? requestAllowance();
    this.#allowances.set(oldest, allowance);
    const waitMs = allowance.waitMs(now);
    allowance.spend(now);
    if (waitMs > 0) await this.#clock.sleep(waitMs);
  }
}
