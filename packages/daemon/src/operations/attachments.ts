/** What an instance holds on the host's side of the network, from its record. */
import type { AccountId, InstanceId } from "@uni/contract/ids";
import type { InstanceRecord } from "../instances/record.ts";
import type { Attachment, Network } from "../network/port.ts";
import { uidFor } from "./directories.ts";

/** What live instances hold on the host, under names that `account` may know; `except` is not among them. */
export function liveAttachments(
  network: Network,
  records: readonly InstanceRecord[],
  { account, except }: { readonly account: AccountId; readonly except?: InstanceId },
): readonly Attachment[] {
  return records
    .filter((record) => record.status.state !== "stopped" && record.id !== except)
    .map((record) => ({
      ...attachmentOf(network, record, true),
      instanceId: record.account === account ? record.name : "of another account",
    }));
}

/** What the host holds for an instance that runs; ports are left out while only its files are looked at. */
export function attachmentOf(network: Network, record: InstanceRecord, withPorts: boolean): Attachment {
  return {
    instanceId: record.id,
    account: record.account,
    address: record.address,
    ...network.namesFor(record.address),
    uid: uidFor(record.address),
    ports: withPorts ? record.spec.ports : [],
    ...asleepPart(record),
  };
}

function asleepPart({ status }: InstanceRecord): Pick<Attachment, "asleep"> {
  const asleep = asleepOf(status);
  return asleep === undefined ? {} : { asleep };
}

/** What the waker does for it: on the way into sleep and out of it, packets are held and the device is there. */
export function asleepOf({ state, intent, sleep }: InstanceRecord["status"]): Attachment["asleep"] {
  if (state === "stopped") return undefined;
  if (sleep === null) return intent === "sleep" ? "paused" : undefined;
  if (sleep.tier === "off") return state === "standby" ? "disk" : "paused";
  return sleep.tier;
}
