/** Figures of the whole node for a scraper. */
import { instanceStates, sleepTiers } from "@uni/contract/enums";
import type { NodeFigure } from "../api/port.ts";
import { readHostMemory } from "../host/memory.ts";
import type { Registry } from "../instances/registry.ts";
import type { Network } from "../network/port.ts";
import { version } from "./version.ts";

export async function nodeFigures(
  registry: Registry,
  network: Pick<Network, "wakeStats">,
  startedAt: number,
): Promise<readonly NodeFigure[]> {
  const all = registry.all();
  const [memory, waker] = await Promise.all([readHostMemory(), network.wakeStats()]);
  const one = (name: string, type: NodeFigure["type"], help: string, value: number): NodeFigure => ({
    name,
    type,
    help,
    samples: [{ value }],
  });
  return [
    {
      name: "uni_build_info",
      type: "gauge",
      help: "Version of the daemon",
      samples: [{ labels: { version }, value: 1 }],
    },
    one("uni_started_at", "gauge", "Start of the daemon, seconds since the epoch", startedAt / 1000),
    {
      name: "uni_instances",
      type: "gauge",
      help: "Instances by state",
      samples: instanceStates.map((state) => ({
        labels: { state },
        value: all.filter(({ status }) => status.state === state).length,
      })),
    },
    {
      name: "uni_sleepers",
      type: "gauge",
      help: "Instances in standby by tier",
      samples: sleepTiers.map((tier) => ({
        labels: { tier },
        value: all.filter(({ status }) => status.state === "standby" && status.sleep?.tier === tier).length,
      })),
    },
    one("uni_host_memory_bytes", "gauge", "Memory of the host", memory.totalKb * 1024),
    one("uni_host_memory_available_bytes", "gauge", "Memory that is to be had", memory.availableKb * 1024),
    one("uni_waker_held_packets", "gauge", "Packets held for sleepers now", waker.held),
    one("uni_waker_dropped_packets", "counter", "Packets for sleepers that were over a bound", waker.dropped),
    one("uni_waker_expired_packets", "counter", "Packets held for too long", waker.expired),
    one("uni_waker_released_packets", "counter", "Packets delivered after a wake", waker.released),
    one("uni_waker_reports", "counter", "Sleepers reported to the daemon", waker.reported),
  ];
}
