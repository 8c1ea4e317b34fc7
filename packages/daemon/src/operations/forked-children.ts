/** A guest hears what becomes of its forks: at once, or when it can be reached again, under whatever daemon that is. */
import type { InstanceId } from "@uni/contract/ids";
import type { Log } from "../base/log.ts";
import type { ChildState, ChildStatus } from "../guest/port.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";

export interface ForkedChildrenDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
  readonly log: Log;
}

/** Of forks that are gone, how many a parent that cannot be reached is told of when it can be. */
const mostMissed = 256;

export class ForkedChildren {
  readonly #deps: ForkedChildrenDependencies;

  constructor(deps: ForkedChildrenDependencies) {
    this.#deps = deps;
    deps.registry.onChange((after, before) => {
      const child = after ?? before;
      const parent = child?.spec.forkedFrom ?? null;
      if (child === undefined || parent === null || child.status.startCount === 0) return;
      const state = stateOf(child, after === undefined ? "stopped" : statusOf(child));
      if (after !== undefined && before !== undefined && state.status === statusOf(before)) return;
      this.#tell(parent, state);
    });
  }

  /** What it may have missed, and how its forks that are there fare. */
  tellAll(parent: InstanceId): void {
    const { registry } = this.#deps;
    const there = registry
      .all()
      .filter(({ spec, status }) => spec.forkedFrom === parent && status.startCount > 0);
    const missed = registry.find(parent)?.status.forkEnds ?? [];
    for (const state of [...missed, ...there.map((child) => stateOf(child, statusOf(child)))])
      this.#tell(parent, state);
  }

  #tell(parent: InstanceId, state: ChildState): void {
    const { registry, owners, log } = this.#deps;
    if (registry.find(parent) === undefined) return;
    const channel = owners.of(parent).live?.channel;
    const told = channel?.childChanged(state) ?? Promise.reject(new Error("it cannot be reached now"));
    told
      .then(
        () => this.#forget(parent, state),
        (error) => {
          log.debug({ err: error, instance: parent }, "a guest was not told of its fork");
          return this.#keep(parent, state);
        },
      )
      .catch((error) => log.warn({ err: error, instance: parent }, "the end of a fork could not be kept"));
  }

  async #keep(parent: InstanceId, state: ChildState): Promise<void> {
    const record = this.#deps.registry.find(parent);
    // A program that ended waits for nothing.
    if (state.status !== "stopped" || record === undefined || record.status.state === "stopped") return;
    const { forkEnds } = record.status;
    if (forkEnds.some(({ id }) => id === state.id)) return;
    await this.#save(parent, [...forkEnds, state].slice(-mostMissed));
  }

  async #forget(parent: InstanceId, { id }: ChildState): Promise<void> {
    const forkEnds = this.#deps.registry.find(parent)?.status.forkEnds ?? [];
    if (forkEnds.some((end) => end.id === id)) {
      await this.#save(
        parent,
        forkEnds.filter((end) => end.id !== id),
      );
    }
  }

  async #save(parent: InstanceId, forkEnds: readonly ChildState[]): Promise<void> {
    await this.#deps.registry.change(parent, { status: { forkEnds } });
  }
}

function stateOf({ id, status: { exitCode } }: InstanceRecord, status: ChildStatus): ChildState {
  return { id, status, ...(status === "stopped" && exitCode !== null ? { exitCode } : {}) };
}

/** A child that sleeps goes on as soon as anybody asks. */
function statusOf({ status: { state } }: InstanceRecord): ChildStatus {
  if (state === "standby") return "running";
  return state === "checkpoint" || state === "deleted" ? "stopped" : state;
}
