/**
 * After a start, planned or not: machines of instances that live are taken over, what was half done is finished or undone,
 * and what belongs to no instance is removed. Order: the network first, so that machines that kept running are reachable
 * again before anything else; machines without an instance last, when all that are wanted are known.
 */
import { readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { asInstanceId } from "@uni/contract/ids";
import type { Log } from "../base/log.ts";
import { removeTree } from "../host/files.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Images } from "../images/port.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import type { Network } from "../network/port.ts";
import { attachmentOf } from "../operations/attachments.ts";
import type { Directories } from "../operations/directories.ts";
import type { SavedInstances } from "../snapshots/saved-instances.ts";
import type { NodeVmm } from "./node-vmm.ts";
import { imageUsers } from "./users.ts";

export interface RecoverDependencies {
  readonly registry: Registry;
  readonly saved: SavedInstances;
  readonly pins: Pick<Pins, "holding">;
  readonly owners: Owners;
  readonly network: Network;
  readonly images: Images;
  readonly nodeVmm: NodeVmm;
  readonly directories: Directories;
  readonly log: Log;
}

/**
 * Returns the end of the recovery. Each instance's own part is queued before this returns: what is asked of an instance
 * meanwhile waits behind it.
 */
export function recover(deps: RecoverDependencies): Promise<void> {
  const { registry, owners, log } = deps;
  const prepared = prepare(deps);
  const left = new Set(readdirSync(deps.directories.machines));
  const recovered = registry
    .all()
    .filter((record) => needsRecovery(record) || left.has(record.id))
    .map((record) =>
      owners
        .of(record.id)
        .recover(prepared)
        .catch((error) =>
          log.error({ err: error, instance: record.id }, "an instance could not be recovered"),
        ),
    );
  const orphans = prepared
    .then(() => removeOrphans(deps))
    .catch((error) => log.error({ err: error }, "what belongs to no instance could not be removed"));
  return Promise.all([prepared, orphans, ...recovered]).then(async () => {
    const freed = await deps.images.collect({
      inUse: (digest) => imageUsers(deps, digest),
      buildCache: false,
    });
    if (freed > 0) log.info({ freed }, "image store cleaned");
  });
}

function needsRecovery({ status, spec }: InstanceRecord): boolean {
  const mayDelete = spec.features.includes("delete-on-stop") && status.startCount > 0;
  return status.state !== "stopped" || status.intent === "delete" || status.restart !== null || mayDelete;
}

async function prepare(deps: RecoverDependencies): Promise<void> {
  const { registry, network, log } = deps;
  const live = registry
    .all()
    .filter(({ status }) => status.state !== "stopped" || status.intent === "delete");
  const repaired = await network.reconcile(live.map((record) => attachmentOf(network, record, true)));
  for (const difference of repaired) log.info({ difference }, "network repaired");
}

/** Machines and files of instances that are not in the store. What is left of one that is there is its owner's affair. */
async function removeOrphans(deps: RecoverDependencies): Promise<void> {
  const { registry, directories, log } = deps;
  for (const name of await readdir(directories.machines)) {
    if (registry.find(asInstanceId(name)) !== undefined) continue;
    const directory = join(directories.machines, name);
    const { vmm } = await deps.nodeVmm.ready();
    const machine = await vmm.adopt(directory);
    await machine?.kill();
    await removeTree(directory);
    log.info({ directory, wasRunning: machine !== undefined }, "machine without an instance removed");
  }
  for (const name of await readdir(directories.instances)) {
    if (registry.find(asInstanceId(name)) !== undefined) continue;
    await removeTree(join(directories.instances, name));
    log.info({ instance: name }, "files without an instance removed");
  }
}
