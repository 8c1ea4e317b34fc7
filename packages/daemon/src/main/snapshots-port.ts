/** Templates, checkpoints, branches and rewinds of the API, on top of the snapshots room and operations. */
import { randomUUID } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import { type AccountId, asInstanceId, type InstanceId } from "@uni/contract/ids";
import type { Instance } from "@uni/contract/resources/instance";
import type { HistoryEntry, NewCheckpoint, Reference, SnapshotsPort } from "../api/port.ts";
import { withSuffix } from "../instances/names.ts";
import type { Ancestor } from "../instances/record.ts";
import type { BoundedWaits } from "../operations/bounded-waits.ts";
import type { RequestedDependencies } from "../operations/create-requested.ts";
import { rewindInstances } from "../operations/rewind.ts";
import {
  branchInstances,
  makeTemplate,
  newCheckpoint,
  saveCheckpoints,
} from "../operations/save-instances.ts";
import { updateSaved } from "../snapshots/saved-update.ts";
import { viewSaved } from "../snapshots/view.ts";

export interface SnapshotsPortDependencies extends RequestedDependencies {
  readonly waits: BoundedWaits<BeingMade | undefined>;
  /** An instance as the wire shows it. */
  readonly get: (id: InstanceId) => Instance;
}

/** A checkpoint that is not there yet. */
export interface BeingMade {
  readonly account: AccountId;
  readonly instance: Instance;
}

export function createSnapshotsPort(deps: SnapshotsPortDependencies): SnapshotsPort {
  const { saved, owners, registry, clock, sweep, waits } = deps;
  const findBeingMade = (account: AccountId, { uuid, name }: Reference): BeingMade | undefined =>
    waits
      .goingOn()
      .filter((one) => one?.account === account)
      .find((one) => (uuid === undefined ? one?.instance.name === name : one?.instance.uuid === uuid));
  /** One that is not there yet has its name already: else the later one would fail when nobody waits for it. */
  const refuseBeingMade = (account: AccountId, wanted: string): void => {
    const others = waits.underWay().filter((one) => one?.account === account);
    if (others.every((one) => one?.instance.name !== wanted)) return;
    throw new UniError("already_exists", `create '${wanted}': a checkpoint of this name is being made`, {
      hint: "Choose another name, or remove that checkpoint.",
    });
  };
  const withIdentity = (wanted: NewCheckpoint) => ({
    ...wanted,
    id: asInstanceId(randomUUID()),
    name: wanted.name ?? withSuffix(registry.get(wanted.from).name),
  });
  return {
    list(account, kind, { tags, ...page }) {
      const found = saved.of(kind).page(account, { ...page, count: Number.POSITIVE_INFINITY });
      const tagged = found.filter(({ content }) => tags.every((tag) => content.spec.tags.includes(tag)));
      return tagged.slice(0, page.count).map(viewSaved);
    },
    get(account, kind, reference) {
      const beingMade = kind === "checkpoint" ? findBeingMade(account, reference) : undefined;
      return beingMade?.instance ?? viewSaved(saved.resolve(kind, account, reference));
    },
    async update(account, kind, reference, update) {
      const { id } = saved.resolve(kind, account, reference);
      return viewSaved(await saved.update(id, (content) => updateSaved(content, update)));
    },
    async delete(account, kind, reference) {
      const beingMade = kind === "checkpoint" ? findBeingMade(account, reference) : undefined;
      if (beingMade !== undefined) {
        const { name, uuid } = beingMade.instance;
        await waits.end(
          beingMade,
          new UniError("failed", `checkpoint '${name}': it was removed while it was made`),
        );
        if (saved.find(asInstanceId(uuid)) === undefined) return beingMade.instance;
      }
      const found = saved.resolve(
        kind,
        account,
        beingMade === undefined ? reference : { uuid: beingMade.instance.uuid },
      );
      await saved.remove(found.id, clock.now());
      sweep.soon();
      return viewSaved(found);
    },
    savedHistory: (account, reference) =>
      historyOf(saved.resolve("checkpoint", account, reference).content.spec.lineage),
    async makeTemplate(id, { autokillMs, waitMs }, signal) {
      const wait = { of: registry.get(id), waitMs, signal, shown: undefined };
      await waits.run(wait, (until) => makeTemplate(deps, id, { autokillMs, signal: until }));
      const made = saved.of("template").find(id);
      return made === undefined ? deps.get(id) : viewSaved(made);
    },
    async saveCheckpoint(wanted, waitMs, signal) {
      const checkpoint = withIdentity(wanted);
      const record = registry.get(wanted.from);
      const { account } = record;
      refuseBeingMade(account, checkpoint.name);
      const unmade = newCheckpoint(checkpoint, { record, snapshot: null, layer: null }, clock.now());
      const shown = { ...viewSaved(unmade), state: "starting" as const };
      const wait = { of: record, waitMs, signal, shown: { account, instance: shown } };
      const made = await waits.run(wait, (until) => saveCheckpoints(deps, [checkpoint], until));
      return made?.map(viewSaved)[0] ?? shown;
    },
    async saveCheckpoints(wanted, signal) {
      const checkpoints = wanted.map(withIdentity);
      for (const { from, name } of checkpoints) refuseBeingMade(registry.get(from).account, name);
      return (await saveCheckpoints(deps, checkpoints, signal)).map(viewSaved);
    },
    async branch(account, wanted, signal) {
      const made = await branchInstances(deps, account, wanted, { becomes: "branch", signal });
      const starting = made.filter((_record, index) => wanted[index]?.request.autostart === true);
      await Promise.all(starting.map(({ id }) => owners.of(id).start()));
      return made.map(({ id }) => deps.get(id));
    },
    async rewind(account, wanted) {
      const rewinds = wanted.map(({ instance, checkpoint }) => ({
        instance,
        to: saved.resolve("checkpoint", account, checkpoint),
      }));
      return (await rewindInstances(deps, rewinds)).map(({ id }) => deps.get(id));
    },
  };
}

export const historyOf = (lineage: readonly Ancestor[]): HistoryEntry[] =>
  lineage.map(({ uuid, name, createdAt }) => ({
    uuid,
    name,
    created_at: new Date(createdAt).toISOString(),
  }));
