/** What is still needed of snapshots and disk layers, derived from the records. Pure. */
import type { Origin, SnapshotFacts } from "../instances/record.ts";
import { type RomContent, romContentsOf } from "../instances/roms.ts";
import type { SavedInstance } from "./record.ts";

export interface Needed {
  readonly snapshots: ReadonlySet<string>;
  /** Without what these stand on themselves. */
  readonly layers: ReadonlySet<string>;
}

export function neededBy(saved: readonly SavedInstance[], origins: readonly (Origin | null)[]): Needed {
  const snapshots = new Set<string>();
  const layers = new Set<string>();
  const keep = (snapshot: SnapshotFacts | null, layer: string | null) => {
    if (snapshot !== null) snapshots.add(snapshot.id);
    if (snapshot !== null && snapshot.parent !== null) snapshots.add(snapshot.parent);
    if (layer !== null) layers.add(layer);
  };
  for (const { content } of saved) keep(content.snapshot, content.layer);
  for (const origin of origins) if (origin !== null) keep(origin.snapshot, origin.layer);
  return { snapshots, layers };
}

export const romContentsOfSaved = ({ content: { spec, snapshot } }: SavedInstance): RomContent[] =>
  romContentsOf(spec, snapshot);
