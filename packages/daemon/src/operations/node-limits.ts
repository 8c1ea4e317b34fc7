import { UniError } from "@uni/contract/errors";
import type { InstanceRecord, InstanceSpec } from "../instances/record.ts";

/** What an account may have on this node. Live: neither stopped nor asleep. */
export interface NodeLimits {
  readonly instances: number;
  readonly liveVcpus: number;
  readonly liveMemoryMb: number;
  readonly minMemoryMb: number;
  readonly maxMemoryMb: number;
  readonly maxVcpus: number;
}

export interface Usage {
  readonly instances: number;
  readonly liveInstances: number;
  readonly liveVcpus: number;
  readonly liveMemoryMb: number;
}

/** Templates are instances that are kept; checkpoints have a limit of their own (base/catalogue.ts). */
export function usageOf(records: readonly InstanceRecord[], templates: number): Usage {
  const live = records.filter(({ status }) => status.state !== "stopped" && status.state !== "standby");
  return {
    instances: records.length + templates,
    liveInstances: live.length,
    liveVcpus: live.reduce((sum, record) => sum + record.spec.vcpus, 0),
    liveMemoryMb: live.reduce((sum, record) => sum + record.spec.memoryMb, 0),
  };
}

export interface Wanted {
  readonly spec: Pick<InstanceSpec, "memoryMb" | "vcpus">;
  /** Instances that would be added. */
  readonly created: number;
  /** Those that the account has, where instances are added: each counts as one. */
  readonly templates?: number;
  /** Instances, added or not, that would become live. */
  readonly started: number;
}

/** Refuses what one instance may not have. */
export function checkShape(limits: NodeLimits, { memoryMb, vcpus }: Wanted["spec"]): void {
  if (memoryMb < limits.minMemoryMb) {
    throw new UniError(
      "memory_too_small",
      `give an instance ${memoryMb} MB: the least is ${limits.minMemoryMb} MB`,
      {
        hint: "The guest's kernel and agent need that much; programs need more.",
      },
    );
  }
  if (memoryMb > limits.maxMemoryMb) {
    throw new UniError(
      "invalid_value",
      `give an instance ${memoryMb} MB: this node allows ${limits.maxMemoryMb} MB`,
    );
  }
  if (vcpus > limits.maxVcpus) {
    throw new UniError(
      "invalid_value",
      `give an instance ${vcpus} vCPUs: this node allows ${limits.maxVcpus}`,
    );
  }
}

/** Refuses that, and what would take the account over its quota. */
export function checkLimits(limits: NodeLimits, records: readonly InstanceRecord[], wanted: Wanted): void {
  checkShape(limits, wanted.spec);
  const { memoryMb, vcpus } = wanted.spec;
  const used = usageOf(records, wanted.templates ?? 0);
  within("instances", used.instances + wanted.created, limits.instances);
  within("MB of live memory", used.liveMemoryMb + wanted.started * memoryMb, limits.liveMemoryMb);
  within("live vCPUs", used.liveVcpus + wanted.started * vcpus, limits.liveVcpus);
}

function within(what: string, wanted: number, limit: number): void {
  if (wanted <= limit) return;
  throw new UniError("quota_exceeded", `${wanted} ${what} would be over the quota of ${limit}`, {
    hint: "Stop or remove instances and templates; 'uni info' shows what is in use.",
  });
}
