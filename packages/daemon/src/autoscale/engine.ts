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
}

export interface Moment {
  readonly members: readonly Member[];
  /** Requests in flight from which on a member is not free. */
  readonly softLimit: number;
  readonly sinceOutMs: number;
  readonly sinceInMs: number;
}

export type Decision =
  | { readonly kind: "none" }
  | { readonly kind: "out"; readonly count: number; readonly reason: string }
  | { readonly kind: "in"; readonly members: readonly InstanceId[]; readonly reason: string };

interface Vote {
  readonly reason: string;
  readonly size: number;
  /** Somebody waits: it does not wait for pauses. */
  readonly urgent: boolean;
  /** Who may go. */
  readonly from: readonly Member[];
}

const none: Decision = { kind: "none" };

/** The policy that wants most members has its way. */
export function decide(configuration: Configuration, moment: Moment): Decision {
  const { minSize, maxSize, warmupMs, cooldownMs, policies } = configuration;
  const { members, sinceOutMs, sinceInMs } = moment;
  const size = members.length;
  if (size < minSize) return { kind: "out", count: minSize - size, reason: `${minSize} are the least` };
  if (size > maxSize) return take(members, size - maxSize, `${maxSize} are the most`);
  const votes = policies
    .filter(({ enabled }) => enabled)
    .flatMap((policy) => vote(policy, configuration, moment));
  const [first, ...rest] = votes;
  if (first === undefined) return none;
  const { reason, from, urgent, size: wanted } = rest.reduce((a, b) => (b.size > a.size ? b : a), first);
  const target = Math.min(maxSize, Math.max(minSize, wanted));
  const pauses = sinceOutMs < warmupMs || sinceInMs < cooldownMs;
  if (pauses && !(urgent && target > size)) return none;
  if (target > size) return { kind: "out", count: target - size, reason };
  return target < size ? take(from, size - target, reason) : none;
}

function vote(policy: Policy, { warmupMs }: Configuration, { members, softLimit }: Moment): Vote[] {
  const size = members.length;
  const reason = `policy '${policy.name}'`;
  if (policy.type === "on_demand") {
    const isFree = ({ state, inFlight }: Member) => state !== "awake" || inFlight < softLimit;
    return members.some(isFree) ? [] : [{ reason, size: size + 1, urgent: true, from: [] }];
  }
  if (policy.type === "idle") {
    const from = members.filter(({ inFlight, idleMs }) => inFlight === 0 && idleMs >= policy.idleMs);
    const count = from.filter(({ removable }) => removable).length;
    return count === 0 ? [] : [{ reason, size: size - count, urgent: false, from }];
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
  return [{ reason: words, size: wanted, urgent: false, from: members }];
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
