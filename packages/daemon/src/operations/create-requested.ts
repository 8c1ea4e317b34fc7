/** Instances as a request wants them: of an image, a template, a checkpoint, or another instance. */
import { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import { checkCreateRequest } from "../instances/create-spec.ts";
import type { InstanceRecord, InstanceSpec } from "../instances/record.ts";
import { resolveReference } from "../instances/references.ts";
import type { SavedInstance } from "../snapshots/record.ts";
import { createFrom, modelOfSaved } from "./create-from.ts";
import { createInstances } from "./instance-create.ts";
import type { OnDemandTemplates } from "./on-demand-templates.ts";
import { branchInstances, type SaveDependencies } from "./save-instances.ts";

export interface RequestedDependencies extends SaveDependencies {
  readonly onDemand: OnDemandTemplates;
}

export interface RequestedOptions {
  /** The caller waits until they run. */
  readonly waits: boolean;
  /** What no request can ask for. */
  readonly spec?: Partial<InstanceSpec>;
  readonly signal: AbortSignal;
}

/** They are there, and not started. */
export async function createRequested(
  deps: RequestedDependencies,
  account: AccountId,
  request: CreateInstanceRequest,
  options: RequestedOptions,
): Promise<InstanceRecord[]> {
  const { waits, signal, spec } = options;
  const { template, checkpoint, branch_from: branchFrom } = request;
  if (template === undefined && checkpoint === undefined && branchFrom === undefined) {
    return createInstances(deps, account, request, waits, spec);
  }
  checkCreateRequest(request, waits);
  if (template?.prepare === true) {
    const { saved, release } = await deps.onDemand.prepare(account, template, signal);
    return createOfSaved(deps, account, request, { saved, spec }).finally(release);
  }
  if (template !== undefined) {
    return createOfSaved(deps, account, request, {
      saved: deps.saved.resolve("template", account, template),
      spec,
    });
  }
  if (checkpoint !== undefined) {
    const saved = deps.saved.resolve("checkpoint", account, checkpoint);
    return createOfSaved(deps, account, request, { saved, spec });
  }
  const source = resolveBranchSource(deps, account, branchFrom ?? {});
  if (typeof source !== "string") return createOfSaved(deps, account, request, { saved: source, spec });
  return branchInstances(deps, account, [{ of: source, request }], { becomes: "branch", signal });
}

/** An instance, or a template. */
function resolveBranchSource(
  { registry, saved }: RequestedDependencies,
  account: AccountId,
  reference: NonNullable<CreateInstanceRequest["branch_from"]>,
) {
  try {
    return resolveReference(registry, account, reference);
  } catch (error) {
    if (!(error instanceof UniError) || error.code !== "not_found") throw error;
    const templates = saved.of("template").ofAccount(account);
    const found = templates.find(({ id, name }) => id === reference.uuid || name === reference.name);
    if (found === undefined) throw error;
    return found;
  }
}

async function createOfSaved(
  deps: RequestedDependencies,
  account: AccountId,
  request: CreateInstanceRequest,
  { saved, spec }: { readonly saved: SavedInstance; readonly spec?: Partial<InstanceSpec> | undefined },
): Promise<InstanceRecord[]> {
  const model = modelOfSaved(saved);
  const release = deps.sweep.lease(model.snapshot?.id ?? null, model.snapshot?.parent ?? null, model.layer);
  try {
    const made = await createFrom(deps, account, request, model, spec);
    const usedAt = deps.clock.now();
    // It may have been removed meanwhile, which takes nothing from what was made of it.
    if (deps.saved.find(saved.id) !== undefined) {
      await deps.saved.update(saved.id, (content) => ({ ...content, usedAt }), { synced: false });
    }
    return made;
  } finally {
    release();
  }
}
