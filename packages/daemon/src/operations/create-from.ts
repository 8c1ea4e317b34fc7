/** Instances made of what another one is or was: its memory and disk, under a name, an address and settings of their own. */
import type { AccountId } from "@uni/contract/ids";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { BecomingKind } from "../guest/port.ts";
import { inheritSpec } from "../instances/inherit-spec.ts";
import type { Ancestor, InstanceRecord, InstanceSpec, SnapshotFacts } from "../instances/record.ts";
import { filesOf, mergeRoms, romContentsOf } from "../instances/roms.ts";
import type { SavedInstance } from "../snapshots/record.ts";
import { type CreateDependencies, insertInstances } from "./instance-create.ts";
import { resolveRoms } from "./rom-contents.ts";

/** What to make them of. */
export interface Model {
  readonly name: string;
  readonly spec: InstanceSpec;
  readonly snapshot: SnapshotFacts | null;
  readonly layer: string | null;
  readonly lineage: readonly Ancestor[];
  readonly becomes: BecomingKind;
}

/** Whoever calls keeps the model's snapshot and layer until this is done. */
export async function createFrom(
  deps: CreateDependencies,
  account: AccountId,
  request: CreateInstanceRequest,
  model: Model,
  more: Partial<InstanceSpec> = {},
): Promise<InstanceRecord[]> {
  const { snapshot, layer, becomes, lineage } = model;
  const inherited = inheritSpec(model.spec, request);
  // The model may be removed meanwhile.
  const held = deps.romFiles.hold(filesOf(romContentsOf(model.spec, model.snapshot)));
  const { roms: asked, release } = await resolveRoms(deps, account, request.roms ?? []).catch((error) => {
    held();
    throw error;
  });
  const origin = { snapshot, layer, entered: false, becomes };
  try {
    const roms = mergeRoms(model.spec.roms, asked);
    const spec = { ...inherited, lineage, roms, ...more };
    return await insertInstances(deps, account, request, { spec, origin, namedAfter: model.name });
  } finally {
    release();
    held();
  }
}

export const modelOfSaved = (saved: SavedInstance): Model => {
  const { id, name, createdAt, kind, content } = saved;
  const { spec, snapshot, layer } = content;
  const own = kind === "checkpoint" ? [{ uuid: id, name, createdAt }] : [];
  return { name, spec, snapshot, layer, lineage: withAncestors(own, spec.lineage), becomes: kind };
};

/** How many checkpoints a history goes back. */
const longestLineage = 256;

export const withAncestors = (newest: readonly Ancestor[], older: readonly Ancestor[]): readonly Ancestor[] =>
  [...newest, ...older].slice(0, longestLineage);
