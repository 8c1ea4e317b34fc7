import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import { InstanceOwner, type OwnerDependencies } from "./owner.ts";

type OwnersDependencies = Omit<OwnerDependencies, "onGone" | "requireRunsAllowed">;

/** The one owner of each instance, made when it is first asked for. */
export class Owners {
  readonly #deps: OwnersDependencies;
  readonly #owners = new Map<InstanceId, InstanceOwner>();
  #runsAllowed = true;

  constructor(deps: OwnersDependencies) {
    this.#deps = deps;
  }

  /** Throws `not_found` for an instance that does not exist. */
  of(id: InstanceId): InstanceOwner {
    this.#deps.registry.get(id);
    const known = this.#owners.get(id);
    if (known !== undefined) return known;
    const owner = new InstanceOwner(id, {
      ...this.#deps,
      onGone: (gone) => this.#owners.delete(gone),
      requireRunsAllowed: () => this.#requireRunsAllowed(),
    });
    this.#owners.set(id, owner);
    return owner;
  }

  /** From now on none begins to run, whoever asks: a guest that forks, a packet, a service under load. */
  async stopAll(): Promise<void> {
    this.#runsAllowed = false;
    await Promise.allSettled(
      this.#deps.registry
        .all()
        .map(({ id, spec }) => this.of(id).stop({ force: false, graceMs: spec.gracePeriodMs })),
    );
  }

  /** Lets all machines go on without this daemon. */
  async release(): Promise<void> {
    await Promise.allSettled([...this.#owners.values()].map((owner) => owner.release()));
  }

  #requireRunsAllowed(): void {
    if (this.#runsAllowed) return;
    throw new UniError(
      "wrong_state",
      "start an instance: the daemon is stopping all of them, and then itself",
    );
  }
}
