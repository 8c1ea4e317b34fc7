/** Whether a guest whose network is silent may sleep: what only its agent can tell. */
import type { ScaleToZeroPolicy } from "@uni/contract/enums";
import type { LiveInstance } from "../instances/lifecycle.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Network, Traffic } from "../network/port.ts";

/** An agent that does not answer is busy: its machine has something to do. */
export async function holdsItselfUp(live: LiveInstance, policy: ScaleToZeroPolicy): Promise<boolean> {
  try {
    const { connections, inhibitors } = await live.channel.stats();
    return inhibitors > 0 || (policy === "on" && connections > 0);
  } catch {
    return true;
  }
}

/** The text that the documentation fixes; there is no acknowledgement. */
export const announceSleep = (live: LiveInstance): Promise<void> => live.channel.notify("scaletozero");

/** Packets in and out so far; undefined when the device is gone. */
export async function packetsOf(network: Network, { address }: InstanceRecord): Promise<number | undefined> {
  const traffic: Traffic | undefined = await network.traffic(network.namesFor(address).tap);
  return traffic === undefined ? undefined : traffic.rxPackets + traffic.txPackets;
}
