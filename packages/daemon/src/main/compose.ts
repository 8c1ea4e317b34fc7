/** Puts the daemon together on the real host. No file but this and `core.ts` constructs a room. */

import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { type AccountId, asAccountId } from "@uni/contract/ids";
import type { ApiDependencies } from "../api/port.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Teardown } from "../base/teardown.ts";
import { createEdge } from "../edge/edge.ts";
import { createGuestConnector } from "../guest/connector.ts";
import { createImages } from "../images/images.ts";
import { Pins } from "../images/pins/pins.ts";
import { createRemote } from "../images/remote/client.ts";
import { RomFiles } from "../images/rom-files.ts";
import type { Accounts } from "../images/tenancy/names.ts";
import { createKernels } from "../kernels/kernels.ts";
import { createNetwork } from "../network/network.ts";
import { choosePool } from "../network/pool.ts";
import { directoriesBelow } from "../operations/directories.ts";
import type { NodeLimits } from "../operations/node-limits.ts";
import type { RegistryDependencies } from "../registry/port.ts";
import { ensureAccount, listAccounts } from "../store/accounts.ts";
import { createBlobHolders } from "../store/blob-holders.ts";
import { createImageCatalogue } from "../store/images.ts";
import { openDatabase } from "../store/open.ts";
import { createPulledReferences } from "../store/pulled-references.ts";
import { findRegistryCredentials } from "../store/registry-credentials.ts";
import { createRepositoryCatalogue } from "../store/repositories.ts";
import { createQemuVmm } from "../vmm/qemu/driver.ts";
import { probeAccelerator } from "../vmm/qemu/probe.ts";
import { createWritableLayers } from "../volumes/writable-layer.ts";
import { ensureAdminToken, tokenChecker } from "./admin-token.ts";
import type { Config } from "./config.ts";
import { openCore } from "./core.ts";
import { addressPool, daemonId, readAccountBlocks, writeAccountBlocks } from "./daemon-identity.ts";
import { installRoot } from "./install-root.ts";
import { NodeVmm } from "./node-vmm.ts";
import { recover } from "./recover.ts";
import { namespaces, registryHosts, registryKey } from "./registry.ts";
import { startStandingWork } from "./standing-work.ts";
import { imageUsers } from "./users.ts";

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
  const others = (await listAccounts(db)).filter(({ id }) => id !== admin);
  const accounts: Accounts = [{ id: admin, name: "admin" }, ...others];
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
    holders: createBlobHolders(db),
    accounts,
    isUsed: (digest, account) => imageUsers(core.shared, digest, account).length > 0,
    ownHosts: () => registryHosts(surroundings.address()),
    pulled: createPulledReferences(db),
    pullTimeoutMs: config.pullTimeoutMs,
  });
  await undo.add("images", () => images.close());
  const pins = await Pins.open({
    db,
    clock,
    log: log.child({ room: "images" }),
    pull: (account, url, request, signal) =>
      images.of(account).pull(url, request, { signal, onProgress() {} }),
  });
  await undo.add("pins", () => pins.close());
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

  const edge = await createEdge({
    directory: join(dataDirectory, "haproxy"),
    bind: config.edgeBind,
    proxies: config.edgeProxies,
    clock,
    log: log.child({ room: "edge" }),
  });
  await undo.add("edge", () => edge.release());
  const authenticate = await tokenChecker(db);
  const core = await openCore({
    ...surroundings,
    ...{
      db,
      directories,
      guests,
      kernels,
      nodeVmm,
      remote,
      images,
      pins,
      romFiles,
      network,
      edge,
      authenticate,
    },
    accounts,
    limits: nodeLimits(),
    layers: createWritableLayers(join(dataDirectory, "disks"), join(dataDirectory, "layers")),
    socketAccount: admin,
  });
  const { registry, owners, services, snapshots } = core;
  await undo.add("instances", () => owners.release());
  await undo.add("services", () => services.release());
  await undo.add("snapshots", () => snapshots.release());
  await undo.add("captures", () => snapshots.endCaptures());
  await undo.add("ROMs", core.unwatchRoms);

  return {
    api: core.api,
    registry: {
      repositoriesOf: (account) => images.of(account).repositories,
      authenticate,
      namespaceOf: await namespaces(db, admin),
      key: await registryKey(dataDirectory),
      clock,
      log: log.child({ room: "registry" }),
    },
    recover() {
      nodeVmm.ready().catch((error) => log.warn({ err: error }, "no machine can be started yet"));
      pins.resume();
      const recovered = recover(core.shared)
        .then(() => snapshots.recover())
        .then(() => images.resume());
      void services.apply();
      // Each instance's recovery is queued by now: what these ask for comes behind it.
      const standing = startStandingWork({ ...core.shared, ...config });
      void undo.add("standing work", () => standing.close());
      const autoscale = core.startAutoscale();
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
