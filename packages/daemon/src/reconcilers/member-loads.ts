/** What the members of groups have to do: counters of the edge and of processors, turned into rates over a second or more. */
import type { InstanceId, ServiceGroupId } from "@uni/contract/ids";
import type { Member } from "../autoscale/engine.ts";
import type { Clock } from "../base/clock.ts";
import type { Edge, EdgeLoad } from "../edge/port.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import { hasSettled } from "../instances/settled.ts";
import { isRemovable } from "../operations/scale-members.ts";

export interface MemberLoadsDependencies {
  readonly edge: Pick<Edge, "loads">;
  readonly owners: Owners;
  readonly clock: Clock;
}

interface Sample {
  readonly atUs: number;
  readonly served: number;
  readonly cpuMs: number;
}

interface Known {
  /** The beginning of the time that rates are of. */
  sample: Sample;
  /** Null: the edge has not counted it yet, and begins with what its server got before. */
  served: number | null;
  /** In all, also over counters that began anew. */
  total: number;
  busyAtUs: number;
  rates: Pick<Member, "cpuMillicores" | "requestsPerSec">;
}

const rateOverUs = 1_000_000;

export class MemberLoads {
  readonly #deps: MemberLoadsDependencies;
  readonly #known = new Map<InstanceId, Known>();

  constructor(deps: MemberLoadsDependencies) {
    this.#deps = deps;
  }

  ask(groups: readonly ServiceGroupId[]): Promise<ReadonlyMap<string, EdgeLoad>> {
    return this.#deps.edge.loads(groups);
  }

  /** Forgets all others. */
  keep(ids: ReadonlySet<InstanceId>): void {
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
  }

  /** What it has served so far no longer counts. */
  countAnew(id: InstanceId): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.total = 0;
  }

  async member(record: InstanceRecord, group: ServiceGroupId, load?: EdgeLoad): Promise<Member> {
    const { id, status } = record;
    const usage = await this.#deps.owners.of(id).live?.machine.usage();
    const sample = {
      atUs: this.#deps.clock.monotonicUs(),
      served: load?.served ?? this.#known.get(id)?.served ?? 0,
      cpuMs: usage?.cpuTimeMs ?? 0,
    };
    const known = this.#note(id, sample, load);
    const now = this.#deps.clock.now();
    const ageMs = status.startedAt === null ? 0 : now - status.startedAt;
    return {
      id,
      removable: isRemovable(record, group),
      state: stateOf(record, now),
      ageMs,
      inFlight: load?.inFlight ?? 0,
      idleMs: (sample.atUs - known.busyAtUs) / 1000,
      served: known.total,
      ...known.rates,
    };
  }

  #note(id: InstanceId, now: Sample, load: EdgeLoad | undefined): Known {
    const known = this.#known.get(id);
    const served = load === undefined ? (known?.served ?? null) : load.served;
    const more = moreOf(known?.served ?? null, now.served);
    // Counters that have gone back began anew.
    const begins = known === undefined || (known.served === null && served !== null);
    if (begins || now.served < (known.served ?? 0) || now.cpuMs < known.sample.cpuMs) {
      const rates = known?.rates ?? { cpuMillicores: 0, requestsPerSec: 0 };
      const total = (known?.total ?? 0) + more;
      const fresh = { sample: now, served, total, busyAtUs: known?.busyAtUs ?? now.atUs, rates };
      this.#known.set(id, fresh);
      return fresh;
    }
    if ((load?.inFlight ?? 0) > 0 || more > 0) known.busyAtUs = now.atUs;
    known.total += more;
    known.served = served;
    const elapsedUs = now.atUs - known.sample.atUs;
    if (elapsedUs >= rateOverUs) {
      known.rates = {
        cpuMillicores: ((now.cpuMs - known.sample.cpuMs) * 1_000_000) / elapsedUs,
        requestsPerSec: ((now.served - known.sample.served) * 1_000_000) / elapsedUs,
      };
      known.sample = now;
    }
    return known;
  }
}

function moreOf(before: number | null, now: number): number {
  if (before === null) return 0;
  return now < before ? now : now - before;
}

export function stateOf({ status }: InstanceRecord, now: number): Member["state"] {
  if (status.state === "standby" || status.intent === "sleep") return "asleep";
  return status.state === "running" && hasSettled(status, now) ? "awake" : "starting";
}
