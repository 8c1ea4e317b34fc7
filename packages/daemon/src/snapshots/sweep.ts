/**
 * Removes snapshots and disk layers that nothing needs any more. What is being made is leased until a record names it. A
 * sweep only ever removes what was there before it read the records: later ones may be named by records that it has not seen.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { TaskQueue } from "../base/task-queue.ts";
import { removeTree } from "../host/files.ts";
import type { DiskLayers } from "../volumes/disk-layers.ts";
import type { Needed } from "./references.ts";

export interface SweepDependencies {
  readonly snapshotsDirectory: string;
  readonly log: Log;
  /** As the records say now. */
  readonly needed: () => Needed;
  /** Layers that disks of instances stand on, with those below. */
  readonly layersInUse: () => Promise<readonly string[]>;
  readonly layers: Pick<DiskLayers, "list" | "below" | "remove">;
}

export class SnapshotSweep {
  readonly #deps: SweepDependencies;
  readonly #leases = new Map<string, number>();
  readonly #runs = new TaskQueue();
  #wanted: Promise<void> | undefined;

  constructor(deps: SweepDependencies) {
    this.#deps = deps;
  }

  /** Keeps these until the returned function is called, which may be more than once. */
  lease(...ids: readonly (string | null)[]): () => void {
    const own = ids.filter((id) => id !== null);
    for (const id of own) this.#leases.set(id, (this.#leases.get(id) ?? 0) + 1);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      for (const id of own) {
        const left = (this.#leases.get(id) ?? 1) - 1;
        if (left === 0) this.#leases.delete(id);
        else this.#leases.set(id, left);
      }
    };
  }

  /** Many at once are one that begins after the one under way. */
  sweep(): Promise<void> {
    this.#wanted ??= this.#runs.run(() => {
      this.#wanted = undefined;
      return this.#sweep();
    });
    return this.#wanted;
  }

  /** For those who do not wait for it. */
  soon(): void {
    this.sweep().catch((error) => this.#deps.log.error({ err: error }, "sweeping snapshots failed"));
  }

  async #sweep(): Promise<void> {
    const { snapshotsDirectory, layers, log } = this.#deps;
    const snapshots = await readdir(snapshotsDirectory);
    const listed = await layers.list();
    if (snapshots.length + listed.length === 0) return;
    const inUse = await this.#deps.layersInUse();
    // In one instant: a lease ends when a record names what it is for.
    const needed = this.#deps.needed();
    const leased = new Set(this.#leases.keys());
    for (const name of snapshots) {
      // "<id>.aside-…" is what a capture writes before it is there.
      const id = name.split(".")[0] ?? "";
      if ((needed.snapshots.has(id) && id === name) || leased.has(id)) continue;
      await removeTree(join(snapshotsDirectory, name));
      log.info({ snapshot: name }, "snapshot that nothing needs removed");
    }
    const kept = new Set([...inUse, ...leased]);
    for (const layer of [...needed.layers, ...leased].filter((id) => listed.includes(id))) {
      for (const id of [layer, ...layers.below(layer)]) kept.add(id);
    }
    for (const layer of listed) {
      if (kept.has(layer)) continue;
      await layers.remove(layer);
      log.info({ layer }, "disk layer that nothing needs removed");
    }
  }
}
