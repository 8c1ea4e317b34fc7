/** Creating instances: names, addresses and limits are settled and stored before anything starts. */
import { randomUUID } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import { type AccountId, asInstanceId } from "@uni/contract/ids";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { Clock } from "../base/clock.ts";
import type { KeyedQueue } from "../base/keyed-queue.ts";
import { checkCreateRequest, makeSpec } from "../instances/create-spec.ts";
import { missingMedia } from "../instances/media.ts";
import { generatedName, withSuffix } from "../instances/names.ts";
import { type InstanceRecord, type InstanceSpec, neverStarted, type Origin } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import type { Network } from "../network/port.ts";
import type { SavedInstances } from "../snapshots/saved-instances.ts";
import { liveAttachments } from "./attachments.ts";
import { findImage, splitRoms } from "./bring-media.ts";
import { asksLabels, imageDefaults, refuseMissingLibraries } from "./image-defaults.ts";
import { checkLimits, type NodeLimits } from "./node-limits.ts";
import { type RomDependencies, resolveRoms } from "./rom-contents.ts";

export interface CreateDependencies extends RomDependencies {
  readonly registry: Registry;
  readonly network: Network;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly saved: SavedInstances;
  /** One creation of an account after the other: between the question for room and the record nobody else takes it. */
  readonly admissions: KeyedQueue<AccountId>;
}

/** Of an image. */
export async function createInstances(
  deps: CreateDependencies,
  account: AccountId,
  request: CreateInstanceRequest,
  waits: boolean,
  more: Partial<InstanceSpec> = {},
): Promise<InstanceRecord[]> {
  checkCreateRequest(request, waits);
  if (request.image === undefined) {
    throw new UniError("malformed", "create instance: 'image' is missing", {
      hint: "'uni images' lists what is there.",
    });
  }
  if (request.name !== undefined) refuseTakenName(deps.registry, account, request.name);
  const found = await findImage(deps.images.of(account), request.image);
  const { reference, image, pull } = found;
  if (image !== undefined) refuseMissingLibraries(image, request.entrypoint, "create instance");
  const byLabels = asksLabels(request);
  const made = {
    ...makeSpec(request, found),
    ...(image !== undefined && byLabels ? imageDefaults(image) : {}),
  };
  const { here, missing } = await splitRoms(deps.images.of(account), request.roms ?? []);
  const media = missingMedia(image === undefined ? { pull, byLabels } : null, missing);
  const { roms, release } = await resolveRoms(deps, account, here);
  const spec = { ...made, roms, media, ...more };
  const inserted = insertInstances(deps, account, request, { spec, origin: null, namedAfter: reference });
  return inserted.finally(release);
}

export interface NewInstances {
  readonly spec: InstanceSpec;
  readonly origin: Origin | null;
  /** An image's reference, or a name. */
  readonly namedAfter: string;
}

/** As many as the request asks for, within the limits, with names and addresses. */
export const insertInstances = (
  deps: CreateDependencies,
  account: AccountId,
  request: CreateInstanceRequest,
  made: NewInstances,
): Promise<InstanceRecord[]> => deps.admissions.run(account, () => insertNow(deps, account, request, made));

async function insertNow(
  deps: CreateDependencies,
  account: AccountId,
  request: CreateInstanceRequest,
  { spec, origin, namedAfter }: NewInstances,
): Promise<InstanceRecord[]> {
  if (request.name !== undefined) refuseTakenName(deps.registry, account, request.name);
  const count = (request.replicas ?? 0) + 1;
  const started = request.autostart === true ? count : 0;
  const templates = deps.saved.of("template").ofAccount(account).length;
  checkLimits(deps.limits, deps.registry.ofAccount(account), { spec, created: count, templates, started });
  // A stopped instance does not hold its ports: whether they are free is asked where it starts.
  if (request.autostart === true) {
    await deps.network.checkPorts(
      spec.ports,
      liveAttachments(deps.network, deps.registry.all(), { account }),
    );
  }
  const names = replicaNames(request.name, namedAfter, count);
  const used = deps.registry.addresses();
  const records = names.map((name) => {
    const address = deps.network.pickAddress(account, used);
    used.add(address);
    return {
      id: asInstanceId(randomUUID()),
      account,
      name,
      address,
      createdAt: deps.clock.now(),
      spec,
      status: { ...neverStarted, origin },
    };
  });
  // A start syncs what was written before it.
  return deps.registry.insert(records, { synced: request.autostart !== true });
}

function refuseTakenName(registry: Registry, account: AccountId, name: string): void {
  const holder = registry.findByName(account, name);
  if (holder === undefined) return;
  throw new UniError("already_exists", `create instance '${name}': the name is taken`, {
    hint: `Choose another name, or remove that instance: uni rm ${name}`,
  });
}

function replicaNames(name: string | undefined, reference: string, count: number): string[] {
  if (name === undefined) return Array.from({ length: count }, () => generatedName(reference));
  return [name, ...Array.from({ length: count - 1 }, () => withSuffix(name))];
}
