import { join } from "node:path";
import type { InstanceId } from "@uni/contract/ids";

/** Where an instance's files are, below the data directory. */
export interface Directories {
  readonly instances: string;
  /** Root owns it; VMM users pass through. */
  readonly instance: (id: InstanceId) => string;
  /** The VMM driver's own: sockets and pid file. Short, because a socket's path holds 107 bytes (unix(7)). */
  readonly machine: (id: InstanceId) => string;
  readonly machines: string;
  readonly log: (id: InstanceId) => string;
  readonly disk: (id: InstanceId) => string;
  /** Memory and devices of one that sleeps on disk. */
  readonly sleep: (id: InstanceId) => string;
  /** Memory and devices that several instances, templates and checkpoints may stand on. */
  readonly snapshots: string;
  readonly snapshot: (id: string) => string;
  /** Images of files that were given for ROMs. */
  readonly roms: string;
  /** Disks that nobody writes any more. */
  readonly layers: string;
}

export function directoriesBelow(dataDirectory: string): Directories {
  const instances = join(dataDirectory, "instances");
  const machines = join(dataDirectory, "vm");
  const snapshots = join(dataDirectory, "snapshots");
  const instance = (id: InstanceId) => join(instances, id);
  return {
    instances,
    machines,
    instance,
    machine: (id) => join(machines, id),
    log: (id) => join(instance(id), "log"),
    disk: (id) => join(instance(id), "disk"),
    sleep: (id) => join(instance(id), "sleep"),
    snapshots,
    snapshot: (id) => join(snapshots, id),
    roms: join(dataDirectory, "roms"),
    layers: join(dataDirectory, "layers"),
  };
}

/** First user id given to VMMs: far above what systems hand out, and unique per address on a host. */
const firstUid = 2 ** 30;

/** The VMM's user: no two instances share one, on all daemons of a host, as their pools do not overlap. */
export function uidFor(address: string): number {
  const [, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return firstUid + b * 65536 + c * 256 + d;
}
