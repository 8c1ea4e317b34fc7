/** Templates and checkpoints of the memory core: marks on instances, without memory or disks. */
import { randomUUID } from "node:crypto";
import { asInstanceId } from "@uni/contract/ids";
import type { Instance } from "@uni/contract/resources/instance";
import type { Entry } from "./fake-instances.ts";
import { Shelf } from "./fake-shelf.ts";
import type { NewCheckpoint, SavedKind, SnapshotsPort } from "./port.ts";

/** Everything takes two seconds here, as far as those can tell who wait. */
const isLate = (waitMs: number): boolean => waitMs < 2_000;

export function fakeSnapshots(entries: Map<string, Entry>): SnapshotsPort {
  const shelves: Readonly<Record<SavedKind, Shelf<Instance>>> = {
    template: new Shelf("template"),
    checkpoint: new Shelf("checkpoint"),
  };
  const instance = (id: string): Instance => {
    const found = entries.get(id);
    if (found === undefined) throw new Error(`no instance ${id}`);
    return found.instance;
  };
  const checkpoint = ({ from, name, tags, autokillMs }: NewCheckpoint): Instance =>
    shelves.checkpoint.add({
      ...instance(from),
      uuid: randomUUID(),
      name: name ?? `${instance(from).name}-aaaaa`,
      state: "checkpoint",
      tags: [...tags],
      checkpoint_autokill: { time_ms: autokillMs },
    });
  return {
    list: (_account, kind, page) =>
      shelves[kind].page(page).filter(({ tags }) => page.tags.every((tag) => tags?.includes(tag))),
    get: (_account, kind, reference) => shelves[kind].get(reference),
    update: async (_account, kind, reference, { prop, value }) => {
      const member = prop === "autokill" ? `${kind}_autokill` : prop;
      return shelves[kind].put({ ...shelves[kind].get(reference), [member]: value });
    },
    delete: async (_account, kind, reference) => shelves[kind].remove(reference),
    savedHistory: () => [],
    async makeTemplate(id, { autokillMs, waitMs }) {
      const before = instance(id);
      const template = {
        ...before,
        state: "template" as const,
        template_autokill: { time_ms: autokillMs },
      };
      entries.delete(id);
      const made = shelves.template.add(template);
      return isLate(waitMs) ? before : made;
    },
    async saveCheckpoint(wanted, waitMs) {
      const made = checkpoint(wanted);
      return isLate(waitMs) ? { ...made, state: "starting" } : made;
    },
    saveCheckpoints: async (wanted) => wanted.map(checkpoint),
    branch: async (_account, wanted) =>
      wanted.map(({ of, request }) => {
        const copy = {
          ...instance(of),
          uuid: randomUUID(),
          name: request.name ?? `${instance(of).name}-bbbbb`,
          state: request.autostart === true ? ("running" as const) : ("stopped" as const),
        };
        entries.set(copy.uuid, { instance: copy, log: [], files: new Map() });
        return copy;
      }),
    rewind: async (_account, wanted) =>
      wanted.map(({ instance: id, checkpoint }) => {
        shelves.checkpoint.get(checkpoint);
        return instance(asInstanceId(id));
      }),
  };
}
