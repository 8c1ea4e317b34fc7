/** Networks and attachments for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asAccountId } from "@uni/contract/ids";
import { systemClock } from "../../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../../packages/daemon/src/base/log.ts";
import { createNetwork } from "../../../packages/daemon/src/network/network.ts";
import type { Attachment, Network, PublishedPort } from "../../../packages/daemon/src/network/port.ts";

let directory: string | undefined;

/** Made when it is needed: a file that imports this may yet start again in namespaces of its own. */
function runtimeDirectory(daemonId: string): string {
  if (directory === undefined) {
    const made = mkdtempSync(join(tmpdir(), "uni-network-"));
    process.on("exit", () => rmSync(made, { recursive: true, force: true }));
    directory = made;
  }
  return join(directory, daemonId);
}

/** With the pool of an earlier one: the same daemon, started again. */
export const testNetwork = (daemonId: string, pool?: string): Promise<Network> =>
  createNetwork({
    log: silentLog,
    clock: systemClock,
    daemonId,
    runtimeDirectory: runtimeDirectory(daemonId),
    pool,
    nameservers: [],
  });

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
