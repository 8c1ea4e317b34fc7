/** Networks and attachments for tests. */
import { asAccountId } from "@uni/contract/ids";
import { systemClock } from "../../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../../packages/daemon/src/base/log.ts";
import { createNetwork } from "../../../packages/daemon/src/network/network.ts";
import type { Attachment, Network, PublishedPort } from "../../../packages/daemon/src/network/port.ts";

/** With the pool of an earlier one: the same daemon, started again. */
export const testNetwork = (daemonId: string, pool?: string): Promise<Network> =>
  createNetwork({ log: silentLog, clock: systemClock, daemonId, pool, nameservers: [] });

const used = new Set<string>();

/** At a new address of the account. */
export function attachmentFor(
  network: Network,
  account: string,
  instanceId: string,
  ports: readonly PublishedPort[] = [],
): Attachment {
  const address = network.pickAddress(asAccountId(account), used);
  used.add(address);
  return {
    instanceId,
    account: asAccountId(account),
    address,
    ...network.namesFor(address),
    uid: 4242,
    ports,
  };
}

/** `published(8080, 80)`, on all addresses and for TCP unless told otherwise. */
export const published = (
  hostPort: number,
  guestPort: number,
  more: Partial<PublishedPort> = {},
): PublishedPort => ({ hostAddress: "0.0.0.0", hostPort, guestPort, protocol: "tcp", ...more });
