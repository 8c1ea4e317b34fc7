/** Templates and checkpoints over REST. */
import type { ListQuery } from "@uni/contract/queries";
import type { Instance } from "@uni/contract/resources/instance";
import {
  type CreateCheckpointsItem,
  type CreateTemplatesItem,
  type SavedUpdate,
  savedUpdateValues,
  type UpdateSavedItem,
} from "@uni/contract/resources/saved-instance";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import { deleteNamed } from "./named-resources.ts";
import { type Answer, items, waitedItem } from "./outcome.ts";
import { askedReferences, basics, readPage, readTags } from "./paging.ts";
import type { InstancesPort, Reference, SavedKind, SnapshotsPort } from "./port.ts";
import { attempt, bodyItems, readReference, readUuid, resolveExactly } from "./references.ts";
import { readValue } from "./update-rules.ts";
import { waitMs } from "./waiting.ts";

/** It is of another state as long as it is being made. */
const shortOf = ({ uuid, name, state }: Instance, kind: SavedKind, waited: number) =>
  waitedItem({ uuid, name, state }, waited > 0 && state !== kind);

/** One after the other: each of them stands still for a moment. */
export async function createTemplates(
  { instances, snapshots }: { readonly instances: InstancesPort; readonly snapshots: SnapshotsPort },
  call: Call,
): Promise<Answer> {
  const answers: object[] = [];
  for (const { reference, item } of bodyItems<CreateTemplatesItem>(call)) {
    const made = await attempt(call.log, reference, async () => {
      const id = resolveExactly(instances, call.account, reference);
      const options = { autokillMs: item.autokill?.time_ms ?? 0, waitMs: waitMs(item.timeout_s, undefined) };
      const made = await snapshots.makeTemplate(id, options, call.signal);
      return shortOf(made, "template", options.waitMs);
    });
    answers.push(made);
  }
  return items(answers);
}

export async function createCheckpoints(
  { instances, snapshots }: { readonly instances: InstancesPort; readonly snapshots: SnapshotsPort },
  call: Call,
): Promise<Answer> {
  const wanted = (call.body as readonly CreateCheckpointsItem[]).map((item) => ({
    item,
    reference: readReference(item.from),
  }));
  const answers: object[] = [];
  for (const { reference, item } of wanted) {
    const { name, tags = [], autokill } = item;
    const made = await attempt(call.log, name === undefined ? reference : { name }, async () => {
      const from = resolveExactly(instances, call.account, reference);
      const checkpoint = { from, name, tags: [...new Set(tags)], autokillMs: autokill?.time_ms ?? 0 };
      const wait = waitMs(item.timeout_s, undefined);
      return shortOf(await snapshots.saveCheckpoint(checkpoint, wait, call.signal), "checkpoint", wait);
    });
    answers.push(made);
  }
  return items(answers);
}

export async function getSaved(snapshots: SnapshotsPort, kind: SavedKind, call: Call): Promise<Answer> {
  const query = call.query as Static<typeof ListQuery>;
  const shown = (saved: Instance) => (query.details === false ? basics(saved) : saved);
  const references = call.uuid === undefined ? askedReferences(call) : [{ uuid: readUuid(call.uuid) }];
  if (references.length === 0) {
    const page = { ...readPage(query), tags: readTags(query) };
    return items(snapshots.list(call.account, kind, page).map(shown));
  }
  const entries = references.map((reference) =>
    attempt(call.log, reference, () => ({
      status: "success" as const,
      ...shown(snapshots.get(call.account, kind, reference)),
    })),
  );
  return items(await Promise.all(entries));
}

/** One after the other, for several items may change one. */
export async function updateSaved(snapshots: SnapshotsPort, kind: SavedKind, call: Call): Promise<Answer> {
  const changes = bodyItems<UpdateSavedItem>(call).map(({ reference, item }) => ({
    reference,
    tag: item.id === undefined ? {} : { id: item.id },
    update: readSavedUpdate(item),
  }));
  const answers: object[] = [];
  for (const { reference, tag, update } of changes) {
    const answer = await attempt(call.log, reference, async () => ({
      status: "success" as const,
      ...basics(await snapshots.update(call.account, kind, reference, update)),
    }));
    answers.push({ ...answer, ...tag });
  }
  return items(answers);
}

export const deleteSaved = (snapshots: SnapshotsPort, kind: SavedKind, call: Call): Promise<Answer> =>
  deleteNamed(
    { delete: (account, reference: Reference) => snapshots.delete(account, kind, reference) },
    call,
  );

export async function getSavedHistory(snapshots: SnapshotsPort, call: Call): Promise<Answer> {
  const everything = { count: Number.POSITIVE_INFINITY, order: "asc", tags: [] } as const;
  const asked = call.uuid === undefined ? askedReferences(call) : [{ uuid: readUuid(call.uuid) }];
  const references: readonly Reference[] =
    asked.length > 0
      ? asked
      : snapshots.list(call.account, "checkpoint", everything).map(({ uuid }) => ({ uuid }));
  const entries = references.map((reference) =>
    attempt(call.log, reference, () => ({
      status: "success" as const,
      ...basics(snapshots.get(call.account, "checkpoint", reference)),
      history: snapshots.savedHistory(call.account, reference),
    })),
  );
  return items(await Promise.all(entries));
}

function readSavedUpdate({ prop, op, value }: SavedUpdate): SavedUpdate {
  const checked = readValue(savedUpdateValues[prop], { prop, op, value });
  return checked === undefined ? { prop, op } : { prop, op, value: checked };
}
