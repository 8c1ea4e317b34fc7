/** Templates, checkpoints, branches and rewinds of the API, on top of the snapshots room and operations. */
import type { InstanceId } from "@uni/contract/ids";
import type { Instance } from "@uni/contract/resources/instance";
import type { HistoryEntry, SnapshotsPort } from "../api/port.ts";
import type { Ancestor } from "../instances/record.ts";
import type { RequestedDependencies } from "../operations/create-requested.ts";
import { rewindInstances } from "../operations/rewind.ts";
import { branchInstances, makeTemplate, saveCheckpoints } from "../operations/save-instances.ts";
import { updateSaved } from "../snapshots/saved-update.ts";
import { viewSaved } from "../snapshots/view.ts";

export interface SnapshotsPortDependencies extends RequestedDependencies {
  /** An instance as the wire shows it. */
  readonly get: (id: InstanceId) => Instance;
}

export function createSnapshotsPort(deps: SnapshotsPortDependencies): SnapshotsPort {
  const { saved, owners, clock, sweep } = deps;
  return {
    list(account, kind, { tags, ...page }) {
      const found = saved.of(kind).page(account, { ...page, count: Number.POSITIVE_INFINITY });
      const tagged = found.filter(({ content }) => tags.every((tag) => content.spec.tags.includes(tag)));
      return tagged.slice(0, page.count).map(viewSaved);
    },
    get: (account, kind, reference) => viewSaved(saved.resolve(kind, account, reference)),
    async update(account, kind, reference, update) {
      const { id } = saved.resolve(kind, account, reference);
      return viewSaved(await saved.update(id, (content) => updateSaved(content, update)));
    },
    async delete(account, kind, reference) {
      const found = saved.resolve(kind, account, reference);
      await saved.remove(found.id, clock.now());
      sweep.soon();
      return viewSaved(found);
    },
    savedHistory: (account, reference) =>
      historyOf(saved.resolve("checkpoint", account, reference).content.spec.lineage),
    makeTemplate: async (id, { autokillMs }, signal) =>
      viewSaved(await makeTemplate(deps, id, { autokillMs, signal })),
    saveCheckpoints: async (wanted, signal) => (await saveCheckpoints(deps, wanted, signal)).map(viewSaved),
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
