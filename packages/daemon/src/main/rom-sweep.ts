/** Files that were given for ROMs go with the last instance, template or checkpoint that needs them. */
import type { RomFiles } from "../images/rom-files.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import { filesOf, romContentsOfRecord } from "../instances/roms.ts";
import { romContentsOfSaved } from "../snapshots/references.ts";
import type { SavedInstances } from "../snapshots/saved-instances.ts";

export interface RomSweepDependencies {
  readonly registry: Registry;
  readonly saved: SavedInstances;
  readonly romFiles: RomFiles;
}

/** Now, and whenever something may be needed no more, until the returned function is called. */
export function watchRoms({ registry, saved, romFiles }: RomSweepDependencies): () => void {
  const needed = () => {
    const contents = [
      ...registry.all().flatMap(romContentsOfRecord),
      ...saved.all().flatMap(romContentsOfSaved),
    ];
    return new Set(filesOf(contents));
  };
  const sweep = () => romFiles.sweep(needed);
  sweep();
  const stops = [
    saved.onChange(sweep),
    registry.onChange((after, before) => {
      if (before === undefined) return;
      const still = new Set(after === undefined ? [] : filesOfRecord(after));
      if (filesOfRecord(before).some((id) => !still.has(id))) sweep();
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

const filesOfRecord = (record: InstanceRecord): string[] => filesOf(romContentsOfRecord(record));
