/** What the waker reports becomes a wake of the instance at that address, if the account may have it live. */
import type { Log } from "../base/log.ts";
import type { Owners } from "../instances/owners.ts";
import type { Registry } from "../instances/registry.ts";
import type { Network } from "../network/port.ts";
import { checkLimits, type NodeLimits } from "../operations/node-limits.ts";

export interface WakeOnPacketDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
  readonly network: Network;
  readonly limits: NodeLimits;
  readonly log: Log;
}

/** The returned function ends it. */
export function wakeOnPacket(deps: WakeOnPacketDependencies): () => void {
  const { registry, owners, network, limits, log } = deps;
  return network.onWake((address, origin) => {
    const record = registry.all().find((each) => each.address === address);
    // One that is waking already, or is being stopped, needs no further word.
    if (record === undefined || record.status.intent !== "sleep") return;
    const { id, account, spec, status } = record;
    const wake = async () => {
      if (status.state === "standby") {
        checkLimits(limits, registry.ofAccount(account), { spec, created: 0, started: 1 });
      }
      await owners.of(id).wake();
    };
    log.info({ instance: id, tier: status.sleep?.tier, ...origin }, "a packet wakes an instance");
    wake().catch((error) => log.warn({ err: error, instance: id }, "waking an instance failed"));
  });
}
