import type { InstanceId } from "@uni/contract/ids";
import { InstanceOwner, type OwnerDependencies } from "./owner.ts";

/** The one owner of each instance, made when it is first asked for. */
export class Owners {
  readonly #deps: Omit<OwnerDependencies, "onGone">;
  readonly #owners = new Map<InstanceId, InstanceOwner>();

  constructor(deps: Omit<OwnerDependencies, "onGone">) {
    this.#deps = deps;
  }

  /** Throws `not_found` for an instance that does not exist. */
  of(id: InstanceId): InstanceOwner {
    this.#deps.registry.get(id);
    const known = this.#owners.get(id);
    if (known !== undefined) return known;
    const owner = new InstanceOwner(id, { ...this.#deps, onGone: (gone) => this.#owners.delete(gone) });
    this.#owners.set(id, owner);
    return owner;
  }

  /** Lets all machines go on without this daemon. */
  async release(): Promise<void> {
    await Promise.allSettled([...this.#owners.values()].map((owner) => owner.release()));
  }
}
