import { arch, cpus, release, totalmem } from "node:os";
import type { Accelerator } from "@uni/contract/enums";
import type { AccountId } from "@uni/contract/ids";
import { limits as contractLimits } from "@uni/contract/limits";
import type { NodePort } from "../api/port.ts";
import { mostPerAccount } from "../base/catalogue.ts";
import type { Clock } from "../base/clock.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Images } from "../images/port.ts";
import { followEvents } from "../instances/event-hub.ts";
import type { Registry } from "../instances/registry.ts";
import type { Network } from "../network/port.ts";
import type { Directories } from "../operations/directories.ts";
import { type NodeLimits, usageOf } from "../operations/node-limits.ts";
import type { SavedInstances } from "../snapshots/saved-instances.ts";
import type { Config } from "./config.ts";
import { nodeDiskUsage } from "./disk-usage.ts";
import { type DoctorDependencies, examine } from "./doctor.ts";
import { nodeFigures } from "./node-figures.ts";
import type { OpenServices } from "./services.ts";
import { imageUsers } from "./users.ts";
import { version } from "./version.ts";

export interface NodeDependencies extends DoctorDependencies {
  readonly config: Config;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly saved: SavedInstances;
  readonly images: Images;
  readonly pins: Pick<Pins, "holding">;
  readonly network: Network;
  readonly limits: NodeLimits;
  readonly services: Pick<OpenServices, "countOf">;
  readonly directories: Directories;
  readonly startedAt: number;
  /** host:port that the REST API listens on, once it does. */
  readonly address: () => string | undefined;
  readonly shutdown: (stopInstances: boolean) => void;
}

export function createNodePort(deps: NodeDependencies): NodePort {
  const { registry, nodeVmm, kernels, images, network } = deps;
  const accelerator = () => (nodeVmm.known?.vmm.accelerator ?? "tcg") as Accelerator;
  return {
    async info() {
      const known = await nodeVmm.ready().catch(() => undefined);
      const selected = (await kernels.list()).find((kernel) => kernel.selected);
      return {
        version,
        pid: process.pid,
        started_at: new Date(deps.startedAt).toISOString(),
        data_dir: deps.config.dataDirectory,
        socket: deps.config.socketPath,
        listen: deps.address(),
        accelerator: accelerator(),
        accelerator_reason: known?.reason ?? "not probed: no kernel could be had yet",
        vmm: { name: known?.vmm.name ?? "qemu", version: known?.vmm.version ?? "unknown" },
        kernel: selected?.version,
        host: {
          architecture: arch(),
          kernel: release(),
          cpus: cpus().length,
          memory_mb: Math.floor(totalmem() / 2 ** 20),
        },
        network: { pool: network.pool, gateway: network.gateway },
        instances: {
          total: registry.all().length,
          running: registry.all().filter((record) => record.status.state === "running").length,
        },
        images: (await images.list()).length,
        default_registry: deps.config.registries.defaultRegistry,
      };
    },
    diskUsage: () =>
      nodeDiskUsage({
        directories: deps.directories,
        dataDirectory: deps.config.dataDirectory,
        cacheDirectory: deps.config.cacheDirectory,
        imagesUsage: () => images.usage((digest) => imageUsers(deps, digest)),
      }),
    doctor: () => examine(deps),
    async healthz() {
      const ready = nodeVmm.known;
      return {
        checks: { images: "healthy", vmm: ready === undefined ? "unknown" : "healthy" },
        versions: { uni: version, ...(ready === undefined ? {} : { [ready.vmm.name]: ready.vmm.version }) },
        accelerator: ready === undefined ? undefined : { name: accelerator(), reason: ready.reason },
      };
    },
    quotas: (account) => quotasOf(deps, account),
    figures: () => nodeFigures(registry, network, deps.startedAt),
    metros: () => [
      {
        uuid: "00000000-0000-4000-8000-000000000001",
        endpoint: `http://${deps.address() ?? "127.0.0.1"}/v1`,
        name: "local",
        iata_code: "loc",
        country: "XX",
      },
    ],
    events: (account, signal) => followEvents(registry, account, deps.clock, signal),
    shutdown: deps.shutdown,
  };
}

/** Volumes, which this version does not have, are reported as none used and none allowed. */
function quotasOf(deps: NodeDependencies, account: AccountId) {
  const { limits } = deps;
  const used = usageOf(deps.registry.ofAccount(account), deps.saved.of("template").ofAccount(account).length);
  const { groups, ports } = deps.services.countOf(account);
  const noVolumes = { volumes: 0, total_volume_mb: 0 };
  return {
    uuid: account,
    used: {
      instances: used.instances,
      live_instances: used.liveInstances,
      live_vcpus: used.liveVcpus,
      live_memory_mb: used.liveMemoryMb,
      service_groups: groups,
      services: ports,
      ...noVolumes,
    },
    hard: {
      instances: limits.instances,
      live_instances: limits.liveVcpus,
      live_vcpus: limits.liveVcpus,
      live_memory_mb: limits.liveMemoryMb,
      service_groups: mostPerAccount,
      services: mostPerAccount * contractLimits.servicePorts,
      ...noVolumes,
    },
    limits: {
      min_memory_mb: limits.minMemoryMb,
      max_memory_mb: limits.maxMemoryMb,
      min_volume_mb: 0,
      max_volume_mb: 0,
      min_autoscale_size: contractLimits.scale.size.minimum,
      max_autoscale_size: contractLimits.scale.size.maximum,
      min_vcpus: 1,
      max_vcpus: limits.maxVcpus,
    },
  };
}
