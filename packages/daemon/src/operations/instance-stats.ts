import { join } from "node:path";
import type { InstanceId } from "@uni/contract/ids";
import type { VmStats } from "@uni/contract/rpc";
import type { Clock } from "../base/clock.ts";
import type { GuestStats } from "../guest/port.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Network, Traffic } from "../network/port.ts";
import { bytesOnDisk } from "../volumes/writable-layer.ts";
import type { Directories } from "./directories.ts";

export interface StatsDependencies {
  readonly network: Network;
  readonly directories: Directories;
  readonly clock: Clock;
}

export interface InstanceUsage {
  readonly rssBytes: number;
  readonly cpuTimeMs: number;
  readonly traffic: Traffic;
}

const noTraffic: Traffic = { rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 };

/** Established TCP connections of one that runs, as its agent counts them. */
export async function connectionsOf(live: LiveInstance | undefined): Promise<number> {
  if (live === undefined || live.machine.paused) return 0;
  return (await live.channel.stats().catch(() => undefined))?.connections ?? 0;
}

/** Host-side figures; zeros when it does not run. */
export async function usageOfInstance(
  deps: StatsDependencies,
  record: InstanceRecord,
  live: LiveInstance | undefined,
): Promise<InstanceUsage> {
  if (live === undefined) return { rssBytes: 0, cpuTimeMs: 0, traffic: noTraffic };
  const usage = await live.machine.usage();
  const traffic = await deps.network.traffic(deps.network.namesFor(record.address).tap);
  return { rssBytes: usage?.rssBytes ?? 0, cpuTimeMs: usage?.cpuTimeMs ?? 0, traffic: traffic ?? noTraffic };
}

/** How long the agent may take to answer before the host's figures have to do. */
const guestAnswerMs = 1_000;

/** Remembers the last reading of each instance, so that a percentage covers the time between two questions. */
export class StatsReader {
  readonly #deps: StatsDependencies;
  readonly #last = new Map<InstanceId, { readonly cpuTimeMs: number; readonly atUs: number }>();

  constructor(deps: StatsDependencies) {
    this.#deps = deps;
  }

  forget(id: InstanceId): void {
    this.#last.delete(id);
  }

  async read(record: InstanceRecord, live: LiveInstance | undefined): Promise<VmStats> {
    const usage = await usageOfInstance(this.#deps, record, live);
    const guest = live === undefined || live.machine.paused ? undefined : await this.#askGuest(live);
    const diskBytes = await bytesOnDisk(join(this.#deps.directories.disk(record.id), "writable.qcow2")).catch(
      () => 0,
    );
    return {
      id: record.id,
      name: record.name,
      state: record.status.state,
      cpu_pct: this.#cpuPercent(record, usage.cpuTimeMs),
      cpu_time_ms: usage.cpuTimeMs,
      rss_bytes: usage.rssBytes,
      mem_bytes: guest === undefined ? undefined : (guest.memoryTotalKb - guest.memoryAvailableKb) * 1024,
      mem_limit_bytes: record.spec.memoryMb * 2 ** 20,
      disk_bytes: diskBytes,
      net_rx_bytes: usage.traffic.rxBytes,
      net_tx_bytes: usage.traffic.txBytes,
      processes: guest?.processes,
      timestamp: new Date(this.#deps.clock.now()).toISOString(),
      source: guest === undefined ? "host" : "guest",
    };
  }

  #cpuPercent(record: InstanceRecord, cpuTimeMs: number): number {
    const atUs = this.#deps.clock.monotonicUs();
    const last = this.#last.get(record.id);
    this.#last.set(record.id, { cpuTimeMs, atUs });
    const sinceStartMs = this.#deps.clock.now() - (record.status.startedAt ?? this.#deps.clock.now());
    const fresh = last === undefined || cpuTimeMs < last.cpuTimeMs;
    const elapsedMs = fresh ? sinceStartMs : (atUs - last.atUs) / 1000;
    const spentMs = fresh ? cpuTimeMs : cpuTimeMs - last.cpuTimeMs;
    return elapsedMs <= 0 ? 0 : Math.round((1000 * spentMs) / elapsedMs) / 10;
  }

  async #askGuest(live: LiveInstance): Promise<GuestStats | undefined> {
    const late = Promise.withResolvers<undefined>();
    const cancel = this.#deps.clock.after(guestAnswerMs, () => late.resolve(undefined));
    try {
      return await Promise.race([live.channel.stats().catch(() => undefined), late.promise]);
    } finally {
      cancel();
    }
  }
}
