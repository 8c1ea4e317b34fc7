/**
 * Instances go back to what checkpoints of them hold, under their own ids and addresses. All machines end before the first
 * goes on: nothing that was sent since then reaches one that has gone back. What was written to their disks since then is gone.
 */
import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import { settled } from "../base/settled.ts";
import { holdAll } from "../instances/held.ts";
import type { InstanceRecord, InstanceSpec } from "../instances/record.ts";
import { filesOf } from "../instances/roms.ts";
import type { SavedInstance } from "../snapshots/record.ts";
import { romContentsOfSaved } from "../snapshots/references.ts";
import { modelOfSaved } from "./create-from.ts";
import { checkLimits } from "./node-limits.ts";
import type { SaveDependencies } from "./save-instances.ts";

export interface Rewind {
  readonly instance: InstanceId;
  readonly to: SavedInstance;
}

export async function rewindInstances(
  deps: SaveDependencies,
  rewinds: readonly Rewind[],
): Promise<InstanceRecord[]> {
  const ids = rewinds.map(({ instance }) => instance);
  if (new Set(ids).size < ids.length)
    throw new UniError("invalid_value", "rewind: an instance is named twice");
  for (const rewind of rewinds) await requireUsable(deps, rewind);
  const release = deps.sweep.lease(...rewinds.flatMap(({ to }) => needsOf(to)));
  const releaseRoms = deps.romFiles.hold(rewinds.flatMap(({ to }) => filesOf(romContentsOfSaved(to))));
  try {
    return await holdAll(deps.owners, ids, async (held) => {
      const pairs = held.map((one) => {
        const rewind = rewinds.find(({ instance }) => instance === one.record().id);
        if (rewind === undefined) throw new UniError("internal", "rewind: it is not known what to");
        return { one, model: modelOfSaved(rewind.to) };
      });
      for (const { one, model } of pairs) {
        one.signal.throwIfAborted();
        requireRoom(deps, one.record(), model.spec);
      }
      await settled(
        pairs.map(({ one, model }) =>
          one.goBack({
            spec: { ...fixedOf(model.spec), lineage: model.lineage },
            origin: { snapshot: model.snapshot, layer: model.layer, entered: false, becomes: "rewind" },
          }),
        ),
      );
      await settled(held.map((one) => one.run()));
      for (const { to } of rewinds)
        await deps.saved.update(to.id, (content) => ({ ...content, usedAt: deps.clock.now() }));
      return ids.map((id) => deps.registry.get(id));
    });
  } finally {
    release();
    releaseRoms();
    deps.sweep.soon();
  }
}

const needsOf = ({ content: { snapshot, layer } }: SavedInstance) => [
  snapshot?.id ?? null,
  snapshot?.parent ?? null,
  layer,
];

/** Nothing is ended for a checkpoint that cannot be used. */
async function requireUsable(deps: SaveDependencies, { instance, to }: Rewind): Promise<void> {
  const record = deps.registry.get(instance);
  const attempted = `rewind instance '${record.name}' to checkpoint '${to.name}'`;
  if (!isOf(record, to)) {
    throw new UniError("invalid_value", `${attempted}: it is none of this instance`, {
      hint: `'uni checkpoint history ${record.name}' lists those; another instance is made of it with uni run --checkpoint ${to.name}.`,
    });
  }
  const { snapshot } = to.content;
  if (snapshot === null) return;
  const health = (await deps.machines.vmm()).checkSnapshot(deps.machines.directories.snapshot(snapshot.id));
  if (health.state === "good") return;
  throw new UniError(
    "snapshot_unusable",
    `${attempted}: ${"reason" in health ? health.reason : "its files are gone"}`,
  );
}

/** What does not live must fit into the account's quota to live again. */
function requireRoom(
  { limits, registry }: SaveDependencies,
  record: InstanceRecord,
  spec: InstanceSpec,
): void {
  const { state } = record.status;
  const started = state === "stopped" || state === "standby" ? 1 : 0;
  checkLimits(limits, registry.ofAccount(record.account), { spec, created: 0, started });
}

/** It was taken of this instance, or of one that this came from. */
const isOf = ({ id, spec }: InstanceRecord, to: SavedInstance): boolean =>
  to.content.takenOf === id || spec.lineage.some(({ uuid }) => uuid === to.id);

/** What runs, with its memory and processors; what surrounds it stays the instance's. */
const fixedOf = (spec: InstanceSpec): Partial<InstanceSpec> => ({
  imageReference: spec.imageReference,
  imageDigest: spec.imageDigest,
  args: spec.args,
  entrypoint: spec.entrypoint,
  env: spec.env,
  user: spec.user,
  workingDirectory: spec.workingDirectory,
  tty: spec.tty,
  stdinOpen: spec.stdinOpen,
  memoryMb: spec.memoryMb,
  vcpus: spec.vcpus,
  roms: spec.roms,
});
