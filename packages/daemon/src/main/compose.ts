/** Puts the daemon together: reads from top to bottom like a table of contents. No other file constructs a room. */

import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { type AccountId, asAccountId } from "@uni/contract/ids";
import type { ApiDependencies } from "../api/port.ts";
import { Configurations } from "../autoscale/configurations.ts";
import type { Clock } from "../base/clock.ts";
import { KeyedQueue } from "../base/keyed-queue.ts";
import type { Log } from "../base/log.ts";
import { Teardown } from "../base/teardown.ts";
import { createEdge } from "../edge/edge.ts";
import { createGuestConnector } from "../guest/connector.ts";
import { createImages } from "../images/images.ts";
import { Pins } from "../images/pins/pins.ts";
import { createRemote } from "../images/remote/client.ts";
import { RomFiles } from "../images/rom-files.ts";
import { Drains } from "../instances/drains.ts";
import { LogStore } from "../instances/log-store.ts";
import { OutputFeed } from "../instances/output-feed.ts";
import { Owners } from "../instances/owners.ts";
import { Registry } from "../instances/registry.ts";
import { createKernels } from "../kernels/kernels.ts";
import { createNetwork } from "../network/network.ts";
import { choosePool } from "../network/pool.ts";
import { liveAttachments } from "../operations/attachments.ts";
import { directoriesBelow } from "../operations/directories.ts";
import { createLifecycle } from "../operations/instance-lifecycle.ts";
import { StatsReader } from "../operations/instance-stats.ts";
import type { LifecycleDependencies } from "../operations/machine.ts";
import type { NodeLimits } from "../operations/node-limits.ts";
import { ExitWatch } from "../operations/wait-exit.ts";
import { WakeLatencies } from "../operations/wake-latency.ts";
import { Autoscale } from "../reconcilers/autoscale.ts";
import type { RegistryDependencies } from "../registry/port.ts";
import { SavedInstances } from "../snapshots/saved-instances.ts";
import { ensureAccount, listAccounts } from "../store/accounts.ts";
import { createImageCatalogue } from "../store/images.ts";
import { openDatabase } from "../store/open.ts";
import { createPulledReferences } from "../store/pulled-references.ts";
import { findRegistryCredentials } from "../store/registry-credentials.ts";
import { createRepositoryCatalogue } from "../store/repositories.ts";
import { createQemuVmm } from "../vmm/qemu/driver.ts";
import { probeAccelerator } from "../vmm/qemu/probe.ts";
import { createWritableLayers } from "../volumes/writable-layer.ts";
import { ensureAdminToken, tokenChecker } from "./admin-token.ts";
import { createAutoscalePort } from "./autoscale.ts";
import type { Config } from "./config.ts";
import { addressPool, daemonId, readAccountBlocks, writeAccountBlocks } from "./daemon-identity.ts";
import { createImagesPort } from "./images-port.ts";
import { installRoot } from "./install-root.ts";
import { createInstancesPort } from "./instances-port.ts";
import { createKernelsPort } from "./kernels-port.ts";
import { createNodePort } from "./node-port.ts";
import { NodeVmm } from "./node-vmm.ts";
import { recover } from "./recover.ts";
import { createRegistriesPort } from "./registries-port.ts";
import { namespaces, registryHosts, registryKey } from "./registry.ts";
import { watchRoms } from "./rom-sweep.ts";
import { openServices } from "./services.ts";
import { type OpenSnapshots, openSnapshots } from "./snapshots.ts";
import { startStandingWork } from "./standing-work.ts";

export interface Composition {
  readonly api: ApiDependencies;
  readonly registry: RegistryDependencies;
  /** Takes over what an earlier daemon left. */
  readonly recover: () => Promise<void>;
  readonly stopAll: () => Promise<void>;
  /** Lets go of everything; machines go on. */
  readonly close: () => Promise<void>;
}

export interface Surroundings {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly address: () => string | undefined;
  readonly shutdown: (stopInstances: boolean) => void;
}

const admin: AccountId = asAccountId("00000000-0000-4000-8000-000000000000");

export async function compose(surroundings: Surroundings): Promise<Composition> {
  const { config, clock, log } = surroundings;
  const { dataDirectory, cacheDirectory } = config;
  const undo = new Teardown();

  const db = await openDatabase(join(dataDirectory, "uni.db"));
  await undo.add("database", () => db.destroy());
  await ensureAccount(db, { id: admin, name: "admin" }, clock.now());
  await ensureAdminToken(db, dataDirectory, admin, clock.now());

  const root = installRoot();
  const directories = directoriesBelow(dataDirectory);
  const guests = createGuestConnector({ clock, log: log.child({ room: "guest" }) });
  const kernels = createKernels({
    clock,
    log: log.child({ room: "kernels" }),
    cacheDirectory,
    dataDirectory,
    agentPath: join(root, "build", "guest", "init"),
    leanConfigPath: join(root, "native", "kernel", "lean.config"),
  });
  const vmmOptions = {
    clock,
    log: log.child({ room: "vmm" }),
    cacheDirectory,
    awaitBooted: guests.awaitBooted,
  };
  const nodeVmm = new NodeVmm({
    kernels,
    log,
    probe: (boot) => probeAccelerator({ ...vmmOptions, boot }),
    create: (accelerator) => createQemuVmm({ ...vmmOptions, cacheBytes: config.bootCacheBytes, accelerator }),
  });
  const remote = createRemote({
    clock,
    log: log.child({ room: "images" }),
    ...config.registries,
    credentialsFor: (registry) => findRegistryCredentials(db, registry),
  });
  await undo.add("registries", () => remote.close());
  const images = await createImages({
    remote,
    clock,
    log: log.child({ room: "images" }),
    directory: join(dataDirectory, "images"),
    catalogue: createImageCatalogue(db),
    repositories: createRepositoryCatalogue(db),
    ownHosts: () => registryHosts(surroundings.address()),
    pulled: createPulledReferences(db),
    pullTimeoutMs: config.pullTimeoutMs,
  });
  await undo.add("images", () => images.close());
  const pins = await Pins.open({
    db,
    clock,
    log: log.child({ room: "images" }),
    pull: (url, request, signal) => images.pull(url, request, { signal, onProgress() {} }),
  });
  await undo.add("pins", () => pins.close());
  const accounts = await listAccounts(db);
  const romFiles = await RomFiles.open(directories.roms);
  const id = await daemonId(db);
  const accountBlocks = await readAccountBlocks(db);
  const network = await createNetwork({
    clock,
    log: log.child({ room: "network" }),
    daemonId: id,
    runtimeDirectory: join(dataDirectory, "net"),
    pool: await addressPool(db, () => choosePool(id)),
    accountBlocks,
    onAccountBlocks: (account, blocks) => {
      accountBlocks.set(account, blocks);
      writeAccountBlocks(db, accountBlocks).catch((error) =>
        log.error({ err: error }, "storing blocks failed"),
      );
    },
  });

  const registry = await Registry.open(db);
  const feed = new OutputFeed(clock);
  const drains = new Drains();
  const limits = nodeLimits();
  const latencies = new WakeLatencies();
  const machines: LifecycleDependencies = {
    vmm: async () => (await nodeVmm.ready()).vmm,
    guests,
    network,
    images,
    romFiles,
    layers: createWritableLayers(join(dataDirectory, "disks"), join(dataDirectory, "layers")),
    directories,
    log,
    clock,
    otherAttachments: ({ account, id: except }) =>
      liveAttachments(network, registry.all(), { account, except }),
    portsOfAll: () => registry.all().flatMap(({ spec }) => spec.ports),
    currentKernel: () => nodeVmm.currentKernel(),
    kernelOf: (version) => nodeVmm.kernelOf(version),
    guestLogOffset: async (record) => (await owners.of(record.id).logStore()).guestOffset,
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
    openLog: (instance) => LogStore.open(directories.log(instance)),
  });
  await undo.add("instances", () => owners.release());
  const edge = await createEdge({
    directory: join(dataDirectory, "haproxy"),
    bind: config.edgeBind,
    proxies: config.edgeProxies,
    clock,
    log: log.child({ room: "edge" }),
  });
  await undo.add("edge", () => edge.release());
  const configurations = await Configurations.open(db);
  const services = await openServices({
    configurations,
    db,
    dataDirectory,
    registry,
    clock,
    log,
    domain: config.domain,
    drains,
    acme: config.acme,
    edge,
  });
  await undo.add("services", () => services.release());

  const saved = await SavedInstances.open(db);
  const admissions = new KeyedQueue<AccountId>();
  const snapshots: OpenSnapshots = await openSnapshots({
    ...{ saved, registry, images, romFiles, network, clock, admissions, owners, machines },
    limits,
  });
  await undo.add("snapshots", () => snapshots.release());
  await undo.add("captures", () => snapshots.endCaptures());
  await undo.add("ROMs", watchRoms({ registry, saved, romFiles }));

  const shared = {
    pins,
    accounts,
    admissions,
    registry,
    saved,
    images,
    romFiles,
    network,
    clock,
    limits,
    owners,
    directories,
    log,
    feed,
    nodeVmm,
    kernels,
  };
  const scaling = { ...shared, configurations, groups: services.groups, applyEdge: services.apply };
  const authenticate = await tokenChecker(db);
  const node = createNodePort({
    ...shared,
    ...surroundings,
    services,
    dataDirectory,
    cacheDirectory,
    startedAt: clock.now(),
  });
  const instances = createInstancesPort({
    ...shared,
    stats: new StatsReader({ network, directories, clock }),
    exits: new ExitWatch(registry),
    latencies,
    drains,
    services,
    createRequested: snapshots.create,
  });
  return {
    api: {
      instances,
      snapshots: snapshots.port(instances.get),
      images: createImagesPort(images, shared, (what) => nodeVmm.trimCache(what)),
      ...services.ports,
      autoscale: createAutoscalePort(scaling),
      registries: createRegistriesPort({
        db,
        clock,
        remote,
        defaultRegistry: config.registries.defaultRegistry,
      }),
      kernels: createKernelsPort(kernels, shared),
      node,
      authenticate,
      socketAccount: admin,
    },
    registry: {
      repositories: images.repositories,
      authenticate,
      namespaceOf: await namespaces(db, admin),
      key: await registryKey(dataDirectory),
      clock,
      log: log.child({ room: "registry" }),
    },
    recover() {
      nodeVmm.ready().catch((error) => log.warn({ err: error }, "no machine can be started yet"));
      pins.resume();
      const recovered = recover(shared)
        .then(() => snapshots.recover())
        .then(() => images.resume());
      void services.apply();
      // Each instance's recovery is queued by now: what these ask for comes behind it.
      const standing = startStandingWork({
        ...shared,
        dataDirectory,
        sleepToDiskAfterMs: config.sleepToDiskAfterMs,
        pruneImagesAfterMs: config.pruneImagesAfterMs,
      });
      void undo.add("standing work", () => standing.close());
      const autoscale = new Autoscale({
        ...scaling,
        edge,
        drains,
        create: snapshots.create,
        live: (instance) => owners.of(instance).live,
        log: log.child({ room: "autoscale" }),
      });
      void undo.add("autoscale", () => autoscale.close());
      return recovered;
    },
    async stopAll() {
      await owners.stopAll();
      await edge.remove();
      await network.remove();
    },
    async close() {
      // With nothing running, nothing on the host is needed until the next start.
      const idle = registry.all().every((record) => record.status.state === "stopped");
      if (idle) await undo.add("network", () => network.remove());
      if (idle) await undo.add("edge's processes", () => edge.remove());
      for (const failure of await undo.run())
        log.error({ err: failure.error, step: failure.name }, "closing failed");
    },
  };
}

/** Memory may be promised once, processors many times: idle ones cost nothing. */
function nodeLimits(): NodeLimits {
  const hostMb = Math.floor(totalmem() / 2 ** 20);
  return {
    instances: 10_000,
    liveVcpus: cpus().length * 64,
    liveMemoryMb: hostMb,
    minMemoryMb: 64,
    maxMemoryMb: hostMb,
    maxVcpus: Math.max(8, cpus().length),
  };
}
