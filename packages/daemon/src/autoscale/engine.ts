/** How many members a group should have, and which of them go. Pure: the same facts give the same answer. */
import type { InstanceId } from "@uni/contract/ids";
import type { Configuration, Policy, StepPolicy } from "./record.ts";

export interface Member {
  readonly id: InstanceId;
  /** It was made for the group's load, and may be taken away. */
  readonly removable: boolean;
  readonly state: "awake" | "asleep" | "starting";
  /** It runs for so long. */
  readonly ageMs: number;
  readonly inFlight: number;
  /** Since its last request. */
  readonly idleMs: number;
  readonly cpuMillicores: number;
  readonly requestsPerSec: number;
  /** Since it became a member, or since it was given a successor. */
  readonly served: number;
}

export interface Moment {
  readonly members: readonly Member[];
  /** Requests that wait for the first member. */
  readonly waiting: number;
  /** Requests in flight from which on a member is not free. */
  readonly softLimit: number;
  readonly sinceOutMs: number;
  readonly sinceInMs: number;
  /** One has a successor already, which does not serve yet. */
  readonly replacing: boolean;
}

export type Decision =
  | { readonly kind: "none" }
  | {
      readonly kind: "out";
      readonly count: number;
      readonly reason: string;
      /** Those among the new ones that are for what these have served: it is counted anew. */
      readonly successorsOf: readonly InstanceId[];
      /** Clients are told of a size above this part of the most. */
      readonly highWatermark: number;
    }
  /** One more, which takes the place of this one. */
  | { readonly kind: "replace"; readonly member: InstanceId; readonly reason: string }
  | { readonly kind: "in"; readonly members: readonly InstanceId[]; readonly reason: string };

interface Vote {
  readonly reason: string;
  readonly size: number;
  /** Somebody waits: it does not wait for pauses. */
  readonly urgent: boolean;
  /** Who may go. */
  readonly from: readonly Member[];
  readonly successorsOf?: readonly Member[];
  readonly highWatermark?: number;
}

const none: Decision = { kind: "none" };

/** The policy that wants most members has its way; members are replaced while their number is right. */
export function decide(configuration: Configuration, moment: Moment): Decision {
  const { minSize, maxSize, warmupMs, cooldownMs } = configuration;
  const { members, sinceOutMs, sinceInMs } = moment;
  const size = members.length;
  if (size < minSize) return out(minSize - size, `${minSize} are the least`);
  if (size === 0) return moment.waiting > 0 ? out(1, "somebody asks for the first") : none;
  if (size > maxSize) return take(members, size - maxSize, `${maxSize} are the most`);
  const policies = configuration.policies.filter(({ enabled }) => enabled);
  const votes = policies.flatMap((policy) => vote(policy, configuration, moment));
  const [first, ...rest] = votes;
  const best = rest.reduce((a, b) => (a !== undefined && b.size <= a.size ? a : b), first);
  const target = Math.min(maxSize, Math.max(minSize, best?.size ?? size));
  const pauses = sinceOutMs < warmupMs || sinceInMs < cooldownMs;
  if (pauses && !(best?.urgent && target > size)) return none;
  if (best === undefined || target === size) return replacement(policies, moment);
  if (target < size) return take(best.from, size - target, best.reason);
  const successorsOf = votes.flatMap((each) => each.successorsOf ?? []).map(({ id }) => id);
  return {
    ...out(target - size, best.reason, best.highWatermark),
    successorsOf: [...new Set(successorsOf)].slice(0, target - size),
  };
}

const out = (count: number, reason: string, highWatermark = 0) =>
  ({ kind: "out", count, reason, highWatermark, successorsOf: [] }) as const;

/** One after the other. */
function replacement(policies: readonly Policy[], { members, replacing }: Moment): Decision {
  if (replacing) return none;
  const [worn] = policies
    .flatMap((policy) =>
      policy.type === "create" && policy.replace
        ? members
            .filter(({ removable, served }) => removable && served > policy.numRequests)
            .map((member) => ({ policy, member }))
        : [],
    )
    .toSorted((a, b) => b.member.served - a.member.served);
  if (worn === undefined) return none;
  const { policy, member } = worn;
  return {
    kind: "replace",
    member: member.id,
    reason: `policy '${policy.name}': it served ${member.served}`,
  };
}

function vote(policy: Policy, { warmupMs }: Configuration, { members, softLimit }: Moment): Vote[] {
  const size = members.length;
  const reason = `policy '${policy.name}'`;
  const { highWatermark } = policy;
  if (policy.type === "on_demand") {
    const isFree = ({ state, inFlight }: Member) => state !== "awake" || inFlight < softLimit;
    return members.some(isFree) ? [] : [{ reason, size: size + 1, urgent: true, from: [], highWatermark }];
  }
  if (policy.type === "idle") {
    const from = members.filter(({ inFlight, idleMs }) => inFlight === 0 && idleMs >= policy.idleMs);
    const count = from.filter(({ removable }) => removable).length;
    return count === 0 ? [] : [{ reason, size: size - count, urgent: false, from }];
  }
  if (policy.type === "create") {
    const over = policy.replace ? [] : members.filter(({ served }) => served > policy.numRequests);
    if (over.length === 0) return [];
    const wanted = size + over.length;
    return [{ reason, size: wanted, urgent: false, from: [], successorsOf: over, highWatermark }];
  }
  const warm = members.filter(
    ({ state, ageMs }) => state === "asleep" || (state === "awake" && ageMs >= warmupMs),
  );
  if (warm.length === 0) return [];
  const value = warm.reduce((sum, member) => sum + measureOf(policy, member), 0) / warm.length;
  const step = policy.steps.find(({ from, below }) => value >= from && (below === null || value < below));
  if (step === undefined) return [];
  const wanted = adjusted(size, policy.adjust, step.adjustment);
  const words = `${reason}: ${policy.metric} is ${Math.round(value * 10) / 10}`;
  return [{ reason: words, size: wanted, urgent: false, from: members, highWatermark }];
}

const measureOf = ({ metric }: StepPolicy, member: Member): number =>
  ({ cpu: member.cpuMillicores, inflight_reqs: member.inFlight, reqs_per_sec: member.requestsPerSec })[
    metric
  ];

/** A part of a member is a whole one. */
export function adjusted(size: number, adjust: StepPolicy["adjust"], adjustment: number): number {
  if (adjust === "exact") return adjustment;
  if (adjust === "change") return size + adjustment;
  return size + Math.sign(adjustment) * Math.ceil((size * Math.abs(adjustment)) / 100);
}

/** Those that sleep first, then those that have least to do and for longest. */
function take(from: readonly Member[], count: number, reason: string): Decision {
  const rank = ({ state }: Member) => (state === "asleep" ? 0 : 1);
  const going = from
    .filter(({ removable }) => removable)
    .toSorted((a, b) => rank(a) - rank(b) || a.inFlight - b.inFlight || b.idleMs - a.idleMs)
    .slice(0, count)
    .map(({ id }) => id);
  return going.length === 0 ? none : { kind: "in", members: going, reason };
}
