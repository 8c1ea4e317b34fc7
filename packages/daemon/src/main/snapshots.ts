/** Opens the snapshots room and ties it to the instances. */
import { readdir } from "node:fs/promises";
import type { AccountId, InstanceId } from "@uni/contract/ids";
import type { CreateInstanceRequest, Instance } from "@uni/contract/resources/instance";
import type { SnapshotsPort } from "../api/port.ts";
import { ensureDirectory } from "../host/files.ts";
import type { GuestRequest } from "../instances/guest-request.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import { BoundedWaits } from "../operations/bounded-waits.ts";
import {
  createRequested,
  type RequestedDependencies,
  type RequestedOptions,
} from "../operations/create-requested.ts";
import { ForkedChildren } from "../operations/forked-children.ts";
import { GuestRequests } from "../operations/guest-requests.ts";
import type { CreateDependencies } from "../operations/instance-create.ts";
import type { LifecycleDependencies } from "../operations/machine.ts";
import { OnDemandTemplates } from "../operations/on-demand-templates.ts";
import { watchUnused } from "../snapshots/autokill.ts";
import { neededBy } from "../snapshots/references.ts";
import { SnapshotSweep } from "../snapshots/sweep.ts";
import { type BeingMade, createSnapshotsPort } from "./snapshots-port.ts";

export interface SnapshotsSurroundings extends CreateDependencies {
  readonly owners: Owners;
  readonly machines: LifecycleDependencies;
}

export interface OpenSnapshots {
  readonly port: (get: (id: InstanceId) => Instance) => SnapshotsPort;
  /** Of whatever the request says; not started. */
  readonly create: (
    account: AccountId,
    request: CreateInstanceRequest,
    options: RequestedOptions,
  ) => Promise<InstanceRecord[]>;
  readonly takeRequest: (id: InstanceId, request: GuestRequest) => void;
  /** A guest that could not be reached can be again. */
  readonly tellOfChildren: (id: InstanceId) => void;
  /** After a start: what was made for somebody who is gone goes, and what nothing needs. */
  readonly recover: () => Promise<void>;
  /** Captures that nobody waits for end. */
  readonly endCaptures: () => Promise<void>;
  readonly release: () => void;
}

/** A preparation that nobody waits for any more, or a copy that its parent was never told of and will ask for again. */
const isLeft = ({ spec, status }: InstanceRecord): boolean =>
  spec.preparation || (spec.forkedFrom !== null && status.state === "stopped" && status.startCount === 0);

export async function openSnapshots(surroundings: SnapshotsSurroundings): Promise<OpenSnapshots> {
  const { saved, owners, registry, clock, machines } = surroundings;
  const { directories, layers } = machines;
  const log = machines.log.child({ room: "snapshots" });
  // Looked at before any request is served: what is made from now on is somebody's.
  const left = registry.all().filter(isLeft);
  await ensureDirectory(directories.snapshots, 0o711);
  const sweep = new SnapshotSweep({
    snapshotsDirectory: directories.snapshots,
    layers: layers.frozen,
    log,
    needed: () =>
      neededBy(
        saved.all(),
        registry.all().map(({ status }) => status.origin),
      ),
    async layersInUse() {
      const ids = (await readdir(directories.instances)) as InstanceId[];
      return ids.flatMap((id) => layers.frozen.chainOf(directories.disk(id)));
    },
  });
  const onDemand = new OnDemandTemplates({
    registry,
    owners,
    saved,
    clock,
    log,
    async create(account, request) {
      const signal = new AbortController().signal;
      const options = { waits: false, spec: { preparation: true }, signal };
      const [record] = await createRequested(requested, account, request, options);
      if (record === undefined) throw new Error("prepare a template: no instance was made");
      return record;
    },
  });
  const requested: RequestedDependencies = { ...surroundings, sweep, onDemand };
  const waits = new BoundedWaits<BeingMade | undefined>({ clock, log });
  const requests = new GuestRequests({ ...requested, log });
  const children = new ForkedChildren({ registry, owners, log });
  // What memory or disk of an instance stood on may be needed no more when it is gone, or when a run of it is over.
  const unfollow = registry.onChange((after, before) => {
    const leftOrigin = (before?.status.origin ?? null) !== null && after?.status.origin === null;
    if (after === undefined || leftOrigin) sweep.soon();
  });
  const unwatch = watchUnused(saved, { clock, log, onRemoved: () => sweep.soon() });
  return {
    port: (get) => createSnapshotsPort({ ...requested, waits, get }),
    create: (account, request, options) => createRequested(requested, account, request, options),
    takeRequest: (id, request) => requests.take(id, request),
    tellOfChildren: (id) => children.tellAll(id),
    async recover() {
      await Promise.allSettled(left.map(async ({ id }) => owners.of(id).delete()));
      await sweep.sweep().catch((error) => log.error({ err: error }, "sweeping snapshots failed"));
    },
    endCaptures: () => waits.close(),
    release() {
      unfollow();
      unwatch();
    },
  };
}
