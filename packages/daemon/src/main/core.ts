/**
 * Instances and all that is made of them, on what they stand on: the daemon gives the real host, tests a pretended one. Reads
 * from top to bottom like a table of contents.
 */

import type { AccountId, InstanceId } from "@uni/contract/ids";
import type { ApiDependencies } from "../api/port.ts";
import { Configurations } from "../autoscale/configurations.ts";
import type { Clock } from "../base/clock.ts";
import { KeyedQueue } from "../base/keyed-queue.ts";
import type { Log } from "../base/log.ts";
import type { Edge } from "../edge/port.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Images } from "../images/port.ts";
import type { Remote } from "../images/remote/client.ts";
import { Drains } from "../instances/drains.ts";
import { LogStore } from "../instances/log-store.ts";
import { OutputFeed } from "../instances/output-feed.ts";
import { Owners } from "../instances/owners.ts";
import { Registry } from "../instances/registry.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { liveAttachments } from "../operations/attachments.ts";
import { createLifecycle } from "../operations/instance-lifecycle.ts";
import { StatsReader } from "../operations/instance-stats.ts";
import type { LifecycleDependencies } from "../operations/machine.ts";
import type { NodeLimits } from "../operations/node-limits.ts";
import { ExitWatch } from "../operations/wait-exit.ts";
import { WakeLatencies } from "../operations/wake-latency.ts";
import { Autoscale } from "../reconcilers/autoscale.ts";
import { SavedInstances } from "../snapshots/saved-instances.ts";
import type { AccountRow } from "../store/accounts.ts";
import type { Database } from "../store/open.ts";
import { createAutoscalePort } from "./autoscale.ts";
import type { Config } from "./config.ts";
import { createImagesPort } from "./images-port.ts";
import { createInstancesPort } from "./instances-port.ts";
import { createKernelsPort } from "./kernels-port.ts";
import { createNodePort, type NodeDependencies } from "./node-port.ts";
import type { NodeVmm } from "./node-vmm.ts";
import { createRegistriesPort } from "./registries-port.ts";
import { watchRoms } from "./rom-sweep.ts";
import { openServices } from "./services.ts";
import { type OpenSnapshots, openSnapshots } from "./snapshots.ts";

/** What instances stand on. */
export interface Ground
  extends Pick<LifecycleDependencies, "guests" | "network" | "romFiles" | "layers" | "directories">,
    Pick<NodeDependencies, "address" | "shutdown"> {
  readonly config: Config;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** The machine's own first. */
  readonly accounts: readonly AccountRow[];
  readonly limits: NodeLimits;
  readonly nodeVmm: NodeVmm;
  readonly kernels: Kernels;
  readonly images: Images;
  readonly pins: Pins;
  readonly remote: Pick<Remote, "check">;
  readonly edge: Edge;
  readonly authenticate: ApiDependencies["authenticate"];
  readonly socketAccount: AccountId;
  readonly openLog?: (id: InstanceId) => Promise<LogStore>;
}

export type Core = Awaited<ReturnType<typeof openCore>>;

export async function openCore(ground: Ground) {
  const { config, db, clock, log, directories, nodeVmm, network, edge } = ground;
  const registry = await Registry.open(db);
  const feed = new OutputFeed(clock);
  const drains = new Drains();
  const latencies = new WakeLatencies();
  const machines: LifecycleDependencies = {
    ...ground,
    vmm: async () => (await nodeVmm.ready()).vmm,
    otherAttachments: ({ account, id: except }) =>
      liveAttachments(network, registry.all(), { account, except }),
    portsOfAll: () => registry.all().flatMap(({ spec }) => spec.ports),
    currentKernel: () => nodeVmm.currentKernel(),
    kernelOf: (version) => nodeVmm.kernelOf(version),
    guestLogOffset: async (record) => (await owners.of(record.id).logStore()).guestOffset,
    windowOf: (record) => owners.of(record.id).input.window,
    noteWake: (instance) => edge.noteWake(instance),
  };
  const owners: Owners = new Owners({
    registry,
    lifecycle: createLifecycle(machines),
    clock,
    log,
    feed,
    onGuestRequest: (instance, request) => snapshots.takeRequest(instance, request),
    onReached: (instance) => snapshots.tellOfChildren(instance),
    onWoken: (instance, latencyMs) => latencies.record(instance, latencyMs),
    openLog: ground.openLog ?? ((instance) => LogStore.open(directories.log(instance))),
  });
  const saved = await SavedInstances.open(db);
  const configurations = await Configurations.open(db);
  const services = await openServices({
    ...{ configurations, db, registry, clock, log, drains, edge },
    ...{ dataDirectory: config.dataDirectory, domain: config.domain, acme: config.acme },
  });
  const shared = { ...ground, registry, saved, owners, feed, admissions: new KeyedQueue<AccountId>() };
  const snapshots: OpenSnapshots = await openSnapshots({ ...shared, machines });
  const unwatchRoms = watchRoms(shared);

  const scaling = { ...shared, configurations, groups: services.groups, applyEdge: services.apply };
  const instances = createInstancesPort({
    ...{ ...shared, latencies, drains, services },
    stats: new StatsReader(shared),
    exits: new ExitWatch(registry),
    createRequested: snapshots.create,
  });
  const api: ApiDependencies = {
    instances,
    snapshots: snapshots.port(instances.get),
    images: createImagesPort(ground.images, shared, (what) => nodeVmm.trimCache(what)),
    ...services.ports,
    autoscale: createAutoscalePort(scaling),
    registries: createRegistriesPort({ ...ground, defaultRegistry: config.registries.defaultRegistry }),
    kernels: createKernelsPort(ground.kernels, shared),
    node: createNodePort({ ...shared, ...config, services, startedAt: clock.now() }),
    authenticate: ground.authenticate,
    socketAccount: ground.socketAccount,
  };
  return {
    /** What standing work needs. */
    ...{ shared, registry, owners, services, snapshots, api, unwatchRoms },
    startAutoscale: (create = snapshots.create) =>
      new Autoscale({
        ...{ ...scaling, edge, drains, create },
        live: (instance) => owners.of(instance).live,
        log: log.child({ room: "autoscale" }),
      }),
  };
}
