/** Templates, checkpoints and branches of instances that are there: what becomes of a capture. */
import { UniError } from "@uni/contract/errors";
import type { AccountId, InstanceId } from "@uni/contract/ids";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { BecomingKind } from "../guest/port.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { NewSaved, SavedInstance } from "../snapshots/record.ts";
import { type CaptureDependencies, type Captured, captureSet } from "./capture-set.ts";
import { createFrom, type Model, withAncestors } from "./create-from.ts";
import type { CreateDependencies } from "./instance-create.ts";
import { checkLimits } from "./node-limits.ts";

export interface SaveDependencies extends CaptureDependencies, CreateDependencies {}

export interface NewCheckpoint {
  readonly id: InstanceId;
  readonly from: InstanceId;
  readonly name: string;
  readonly tags: readonly string[];
  readonly autokillMs: number;
}

/** Of instances of one account, all at one instant; they go on. */
export function saveCheckpoints(
  deps: SaveDependencies,
  wanted: readonly NewCheckpoint[],
  signal: AbortSignal,
): Promise<SavedInstance[]> {
  const ids = wanted.map(({ from }) => from);
  for (const [index, { from, name }] of wanted.entries()) {
    const { account } = deps.registry.get(from);
    refuseTaken(deps, account, name);
    deps.saved.of("checkpoint").requireFree(account, name, index);
  }
  return captureSet(deps, ids, { signal }, async (captured) => {
    const now = deps.clock.now();
    const made = captured.flatMap(({ record, snapshot, layer }, index) =>
      wanted.slice(index, index + 1).map((one) => newCheckpoint(one, { record, snapshot, layer }, now)),
    );
    const saved = await deps.saved.create(made);
    for (const [index, { record }] of captured.entries()) {
      const [newest] = saved.slice(index, index + 1);
      if (newest === undefined) continue;
      const { id: uuid, name, createdAt } = newest;
      const lineage = withAncestors([{ uuid, name, createdAt }], record.spec.lineage);
      await deps.registry.change(record.id, { spec: { lineage } });
    }
    return saved;
  });
}

/** Memory and disk are all that is not known of it before it is taken. */
export function newCheckpoint(
  { id, name, tags, autokillMs }: NewCheckpoint,
  { record, snapshot, layer }: Pick<Captured, "record" | "snapshot" | "layer">,
  now: number,
): NewSaved {
  const spec = { ...record.spec, tags, deleteLock: false };
  const content = { spec, takenOf: record.id, snapshot, layer, autokillMs, usedAt: now };
  return { id, account: record.account, kind: "checkpoint", name, createdAt: now, content };
}

export interface TemplateOptions {
  /** Undefined: the instance's own. */
  readonly name?: string;
  readonly autokillMs: number;
  readonly signal: AbortSignal;
}

/** The instance becomes it, and is one no more. */
export function makeTemplate(
  deps: SaveDependencies,
  id: InstanceId,
  { name, autokillMs, signal }: TemplateOptions,
): Promise<SavedInstance> {
  const { spec } = deps.registry.get(id);
  if (spec.deleteLock && !spec.preparation) {
    throw new UniError(
      "delete_locked",
      `make a template of instance '${deps.registry.get(id).name}': it is locked`,
      {
        hint: "It would be an instance no more. Set delete_lock to false first.",
      },
    );
  }
  return captureSet(deps, [id], { ends: true, signal }, async ([captured]) => {
    if (captured === undefined) throw new UniError("internal", "make a template: nothing was captured");
    const { held, record, snapshot, layer } = captured;
    const now = deps.clock.now();
    const content = {
      // A template has the tags of what it was; its ports belong to whoever is published there.
      spec: { ...record.spec, ports: [], hostname: null, deleteLock: false },
      ...{ takenOf: id, snapshot, layer, autokillMs, usedAt: now },
    };
    const made = {
      id,
      account: record.account,
      kind: "template" as const,
      name: name ?? record.name,
      createdAt: now,
      content,
    };
    let template: SavedInstance | undefined;
    await held.turnInto(async () => {
      template = await deps.saved.convert(made, deps.registry, now);
    });
    return template ?? deps.saved.of("template").get(id);
  });
}

export interface BranchOptions {
  readonly becomes: "branch" | "fork";
  readonly signal: AbortSignal;
}

/** Copies of instances as they are at one instant, not started; these go on. One request for each. */
export function branchInstances(
  deps: SaveDependencies,
  account: AccountId,
  wanted: readonly { readonly of: InstanceId; readonly request: CreateInstanceRequest }[],
  { becomes, signal }: BranchOptions,
): Promise<InstanceRecord[]> {
  const ids = wanted.map(({ of }) => of);
  for (const { request } of wanted) {
    if (request.name !== undefined) refuseTaken(deps, account, request.name);
  }
  refuseNoRoom(deps, account, wanted);
  return captureSet(deps, ids, { signal }, async (captured) => {
    const made: InstanceRecord[] = [];
    for (const [index, one] of captured.entries()) {
      const request = wanted[index]?.request ?? {};
      const { id, spec } = one.record;
      const fork = becomes === "fork" ? { forkedFrom: id, forkFamily: spec.forkFamily ?? id } : {};
      made.push(...(await createFrom(deps, account, request, modelOf(one, becomes), fork)));
    }
    return made;
  });
}

const modelOf = ({ record, snapshot, layer }: Captured, becomes: BecomingKind): Model => {
  const { name, spec } = record;
  return { name, spec, snapshot, layer, lineage: spec.lineage, becomes };
};

/** Before anything is captured, for a guest may ask again and again; each is asked once more when it is made. */
function refuseNoRoom(
  { limits, registry, saved }: SaveDependencies,
  account: AccountId,
  wanted: readonly { readonly of: InstanceId; readonly request: CreateInstanceRequest }[],
): void {
  const templates = saved.of("template").ofAccount(account).length;
  for (const { of, request } of wanted) {
    const { spec } = registry.get(of);
    const started = request.autostart === true ? 1 : 0;
    const room = { spec, created: wanted.length, templates, started };
    checkLimits(limits, registry.ofAccount(account), room);
  }
}

/** Before anything is captured; the store asks again. */
function refuseTaken({ registry, saved }: SaveDependencies, account: AccountId, name: string): void {
  if ((registry.findByName(account, name) ?? saved.findByName(account, name)) === undefined) return;
  throw new UniError("already_exists", `create '${name}': the name is taken`, {
    hint: "Choose another name, or remove the instance, template or checkpoint that has it.",
  });
}
