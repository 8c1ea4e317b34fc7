/** What a machine begins from, and what of it QEMU needs: the boot snapshot of its kernel and shape, or a sleeper's memory over one. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import type { MachineSpec } from "../port.ts";
import { type BootSnapshot, stateFor, withAddress } from "./boot-snapshot.ts";
import type { MachinePlaces } from "./record.ts";
import { type SleepSnapshotMeta, sleepSnapshotFiles } from "./sleep-snapshot.ts";
import type { SnapshotLayer } from "./snapshot-layers.ts";

/** A snapshot that is whole and fits, with what it stands on. */
export interface SnapshotGround {
  readonly snapshot: BootSnapshot;
  readonly layers: readonly SnapshotLayer[];
  readonly top: SleepSnapshotMeta;
}

export type Origin =
  | { readonly kind: "boot"; readonly snapshot: BootSnapshot }
  | ({ readonly kind: "sleeper" } & SnapshotGround);

/** The files that QEMU gets as descriptors. */
export function layOutInputs(places: MachinePlaces, spec: MachineSpec, from: Origin): string[] {
  if (from.kind === "boot") {
    writeFileSync(places.state, stateFor(from.snapshot, spec.network.mac), { mode: 0o600 });
    return [places.state];
  }
  const files = from.layers.map(({ directory }) => sleepSnapshotFiles(directory));
  const [own, { mac, disk }] = [files.at(-1), from.top];
  if (own === undefined) return [];
  // A sleeper's, for the next time it is suspended, when these files may be gone.
  if (disk === undefined) copyFileSync(own.index, places.index);
  const deltas = files.flatMap(({ delta, index }) => [delta, index]);
  if (mac === spec.network.mac) return [own.state, ...deltas];
  writeFileSync(places.state, withAddress(readFileSync(own.state), mac, spec.network.mac), { mode: 0o600 });
  return [places.state, ...deltas];
}

/** The capture that the machine stands on: pages of it are not the machine's own. */
export function captureBelow(from: Origin): string | undefined {
  if (from.kind === "boot") return undefined;
  return from.layers.findLast(({ meta }) => meta.disk !== undefined)?.directory;
}

/** Those of the machine, and those that the snapshot's devices include. */
export function slotsOf({ roms }: MachineSpec, from: Origin): readonly number[] {
  const known = from.kind === "boot" ? [] : from.top.romSlots;
  return [...new Set([...known, ...roms.map(({ slot }) => slot)])].sort((a, b) => a - b);
}
